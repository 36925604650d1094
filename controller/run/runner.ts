import { isTranscription } from '../../schemas/ids.ts'
import type { Runner } from './ecs.ts'
import type { TranscribeRunner } from './transcribe.ts'

/** What carries out attempts: tasks of ECS, and jobs of Amazon Transcribe. Which one it is stands in request and ARN. */
export function createRunner(ecs: Runner, transcribe: TranscribeRunner): Runner {
  return {
    ...ecs,
    runTask: (request) =>
      request.TranscriptionJobName === undefined ? ecs.runTask(request) : transcribe.start(request),
    async describe(arns) {
      const transcriptions = arns.filter(isTranscription)
      const tasks = arns.filter((arn) => !isTranscription(arn))
      const looks = await Promise.all([
        tasks.length > 0 ? ecs.describe(tasks) : [],
        transcriptions.length > 0 ? transcribe.describe(transcriptions) : [],
      ])
      return new Map(looks.flatMap((some) => [...some]))
    },
    stop: (arn, reason) => (isTranscription(arn) ? transcribe.stop(arn) : ecs.stop(arn, reason)),
  }
}
