import type { StartRequest } from './requests.ts'

/**
 * What the fields of a start request have to do with each other; the first broken rule as a sentence, undefined when all
 * hold. Pure.
 */
export function brokenRule(request: StartRequest): string | undefined {
  const { Settings = {}, JobExecutionSettings, OutputKey, OutputBucketName, Subtitles } = request
  const languages = [
    request.LanguageCode !== undefined,
    request.IdentifyLanguage === true,
    request.IdentifyMultipleLanguages === true,
  ].filter(Boolean).length

  if (languages !== 1) {
    return 'Exactly one of LanguageCode, IdentifyLanguage and IdentifyMultipleLanguages must be given.'
  }
  if (request.LanguageOptions !== undefined && request.LanguageCode !== undefined) {
    return 'LanguageOptions go with IdentifyLanguage or IdentifyMultipleLanguages, not with LanguageCode.'
  }
  if ((Settings.ShowSpeakerLabels === true) !== (Settings.MaxSpeakerLabels !== undefined)) {
    return 'ShowSpeakerLabels set to true and MaxSpeakerLabels must be given together.'
  }
  if ((Settings.ShowAlternatives === true) !== (Settings.MaxAlternatives !== undefined)) {
    return 'ShowAlternatives set to true and MaxAlternatives must be given together.'
  }
  if (JobExecutionSettings !== undefined) {
    const { AllowDeferredExecution, DataAccessRoleArn } = JobExecutionSettings
    if (AllowDeferredExecution === undefined || DataAccessRoleArn === undefined) {
      return 'JobExecutionSettings must have both AllowDeferredExecution and DataAccessRoleArn.'
    }
  }
  if (OutputKey !== undefined && OutputBucketName === undefined) {
    return 'OutputKey must come with OutputBucketName.'
  }
  if (Subtitles !== undefined && new Set(Subtitles.Formats).size !== Subtitles.Formats.length) {
    return 'Subtitles.Formats must name each format once.'
  }
  return undefined
}

const missingFeatures = [
  'ModelSettings',
  'ContentRedaction',
  'ToxicityDetection',
  'LanguageIdSettings',
  'OutputEncryptionKMSKeyId',
  'KMSEncryptionContext',
]
const missingSettings = ['VocabularyName', 'VocabularyFilterName', 'VocabularyFilterMethod']

/** The field of a request that AWS would act upon and this service cannot: to be refused, never ignored. */
export function missingFeature(input: unknown): string | undefined {
  const request = fieldsOf(input)
  const settings = fieldsOf(request.Settings)
  if (settings.ChannelIdentification === true) return 'Settings.ChannelIdentification'
  if (fieldsOf(request.Media).RedactedMediaFileUri !== undefined) return 'Media.RedactedMediaFileUri'
  const setting = missingSettings.find((name) => settings[name] !== undefined)
  if (setting !== undefined) return `Settings.${setting}`
  return missingFeatures.find((name) => request[name] !== undefined)
}

const fieldsOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
