import { installPrograms } from '../support/debian.ts'

/** A voice and an ear. */
export default () =>
  installPrograms([
    { program: 'espeak-ng', packages: ['espeak-ng'] },
    { program: 'pocketsphinx_continuous', packages: ['pocketsphinx', 'pocketsphinx-en-us'] },
  ])
