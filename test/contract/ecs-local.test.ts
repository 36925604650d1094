import { ecsContract } from './ecs.contract.ts'
import { startLocal } from './ecs-local-subject.ts'

ecsContract('kept by the local ECS', startLocal)
