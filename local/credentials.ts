/** The one key pair of the local AWS. It protects nothing: the port is on loopback, and clients only need something to sign with. */
export const localCredentials = { accessKeyId: 'local', secretAccessKey: 'local' } as const

/** The account that owns everything here; the emulators inside know no other. */
export const localAccountId = '000000000000'

/** The secret behind an access key, or undefined for a key that does not exist. */
export const secretFor = (accessKeyId: string): string | undefined =>
  accessKeyId === localCredentials.accessKeyId ? localCredentials.secretAccessKey : undefined
