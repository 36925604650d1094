import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { differences } from './ecs-differences.ts'
import { launchContract } from './ecs-launch.contract.ts'
import { lifeContract } from './ecs-life.contract.ts'
import { lookContract } from './ecs-look.contract.ts'
import { stopContract } from './ecs-stop.contract.ts'
import type { EcsSubject, StartSubject } from './ecs-subject.ts'
import { tokensContract } from './ecs-tokens.contract.ts'

/** What every ECS must answer that the controller is tried against: the same checks, a fresh one for each. */
export function ecsContract(name: string, start: StartSubject): void {
  describe(`the contract of ECS, ${name}`, () => {
    let subject: EcsSubject
    beforeEach(async () => {
      subject = await start()
    })
    afterEach(() => subject.close())
    const use = () => subject
    const restart = async (quota: object) => {
      await subject.close()
      subject = await start(quota)
      return subject
    }

    launchContract(use, restart)
    tokensContract(use)
    lifeContract(use)
    stopContract(use)
    lookContract(use)

    test('differs in nothing else than what is written down', () => {
      expect(Object.keys(differences)).toEqual([
        'foreignArn',
        'taskFields',
        'versionSteps',
        'parameters',
        'maintenanceCodes',
        'quotaWords',
      ])
      for (const { why } of Object.values(differences)) expect(why.length).toBeGreaterThan(20)
    })
  })
}
