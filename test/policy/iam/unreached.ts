/** What a role may do and the recorded runs never ask for. One that they come to ask for fails the suite. */
export type Unreached = {
  task: 'controller' | 'worker' | 'worker-internet'
  permission: RegExp
  reason: string
}

export const unreached: readonly Unreached[] = [
  {
    task: 'controller',
    permission: /^ssmmessages:/,
    reason:
      'Asked for by the agent of ECS Exec, which Fargate puts into the container; nobody can log in to a local one.',
  },
  {
    task: 'controller',
    permission: /^sqs:ChangeMessageVisibility on .*task-events$/,
    reason:
      'Given back only if handling it fails, and a task event touches nothing that could fail on one machine.',
  },
  {
    task: 'controller',
    permission: /^s3:PutObject on .*\.write_access_check_file\.temp$/,
    reason:
      'Transcribe tries it with the rights of whoever starts a job; the local one does so with its own credentials.',
  },
  {
    task: 'worker-internet',
    permission: /^s3:AbortMultipartUpload /,
    reason:
      'Only of a segment of more than 8 MiB whose upload breaks off; the same code does it for other workers, and is run there.',
  },
]

/** Kinds of jobs that no run is about. One that a run comes to be about fails the suite. */
export const unrunKinds: Readonly<Record<string, string>> = {
  seed: 'Its group is there only with SEEDING_PORT, and it needs a real client: test/torrents/role.torrents.ts records it.',
}
