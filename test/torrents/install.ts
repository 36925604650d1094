import { installPrograms } from '../support/debian.ts'

/** Two clients that others wrote. */
export default () =>
  installPrograms([
    { program: 'transmission-daemon', packages: ['transmission-daemon'] },
    { program: 'aria2c', packages: ['aria2'] },
  ])
