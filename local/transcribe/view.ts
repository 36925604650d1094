import { publicUri } from './places.ts'
import type { JobRecord } from './records.ts'

/** Times are seconds in this protocol. */
const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1_000)

/** A job as Start and Get show it. `serviceLink`: where a transcript in the service's own bucket can be read now. */
export function jobView(job: JobRecord, region: string, serviceLink: string | undefined) {
  const { request, findings, output } = job
  const { Subtitles } = request
  const subtitleUris = findings.subtitleKeys?.map((key) => publicUri(region, { bucket: output.bucket, key }))
  return {
    TranscriptionJobName: job.name,
    TranscriptionJobStatus: job.status,
    ...languageView(job),
    LanguageOptions: request.LanguageOptions,
    MediaSampleRateHertz: request.MediaSampleRateHertz ?? findings.sampleRateHz,
    MediaFormat: request.MediaFormat ?? findings.mediaFormat,
    Media: request.Media,
    Transcript:
      job.status === 'COMPLETED'
        ? { TranscriptFileUri: serviceLink ?? publicUri(region, output) }
        : undefined,
    CreationTime: seconds(job.createdMs),
    StartTime: seconds(job.startedMs),
    CompletionTime: seconds(job.completedMs),
    FailureReason: job.failureReason,
    Settings: { ChannelIdentification: false, ShowAlternatives: false, ...request.Settings },
    JobExecutionSettings: request.JobExecutionSettings,
    Tags: request.Tags,
    Subtitles: Subtitles && { ...Subtitles, SubtitleFileUris: subtitleUris ?? [] },
  }
}

/** A job as List shows it. */
export const jobSummary = (job: JobRecord) => ({
  TranscriptionJobName: job.name,
  TranscriptionJobStatus: job.status,
  ...languageView(job),
  CreationTime: seconds(job.createdMs),
  StartTime: seconds(job.startedMs),
  CompletionTime: seconds(job.completedMs),
  FailureReason: job.failureReason,
  OutputLocationType: job.output.isServiceBucket ? 'SERVICE_BUCKET' : 'CUSTOMER_BUCKET',
})

function languageView({ request, findings }: JobRecord) {
  const { languageCode, languageScore, durationS } = findings
  if (request.IdentifyMultipleLanguages === true) {
    return {
      IdentifyMultipleLanguages: true,
      LanguageCodes:
        languageCode === undefined
          ? undefined
          : [{ LanguageCode: languageCode, DurationInSeconds: durationS }],
    }
  }
  return {
    LanguageCode: request.LanguageCode ?? languageCode,
    IdentifyLanguage: request.IdentifyLanguage,
    IdentifiedLanguageScore: request.IdentifyLanguage === true ? languageScore : undefined,
  }
}
