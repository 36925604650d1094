/** dynalite brings no types; this is all of it that we use. */
declare module 'dynalite' {
  import type { Server } from 'node:http'

  export default function dynalite(options: {
    /** Folder of the LevelDB store. */
    path: string
    createTableMs: number
    deleteTableMs: number
    updateTableMs: number
  }): Server
}
