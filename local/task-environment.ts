import type { Configuration } from '../schemas/configuration.ts'
import { localCredentials } from './credentials.ts'

/**
 * What every task of the local ECS finds in its environment, besides what ECS itself and its task definition put there:
 * where AWS is, and as little of this machine as programs need.
 */
export const taskEnvironment = (
  endpoint: string,
  { AWS_REGION, FFMPEG_PATH, FFPROBE_PATH }: Configuration,
  machine: NodeJS.ProcessEnv,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries({
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION,
      AWS_ACCESS_KEY_ID: localCredentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: localCredentials.secretAccessKey,
      // Keeps a notice about a coming Node version out of every task's log.
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      FFMPEG_PATH,
      FFPROBE_PATH,
      PATH: machine.PATH,
      HOME: machine.HOME,
      LANG: machine.LANG,
    }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
