import { ecsContract } from './ecs.contract.ts'
import { startModel } from './ecs-model-subject.ts'

ecsContract('kept by the model', startModel)
