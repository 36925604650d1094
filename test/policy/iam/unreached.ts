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
    permission: /^(ecs:RunTask|iam:PassRole) on .*internet/,
    reason: 'Only kinds of the group `internet` are launched so, and there is none yet.',
  },
  {
    task: 'controller',
    permission: /^sqs:ChangeMessageVisibility on .*task-events$/,
    reason:
      'Given back only if handling it fails, and a task event touches nothing that could fail on one machine.',
  },
  {
    task: 'worker-internet',
    permission: /./,
    reason: 'Nothing runs with this role as long as there is no kind of the group `internet`.',
  },
]

const unfinished = 'It cannot be carried out on one machine yet. Whoever makes it work adds a run to runs.ts.'

/** Kinds of jobs that no run is about. One that a run comes to be about fails the suite. */
export const unrunKinds: Readonly<Record<string, string>> = {
  subtitles: unfinished,
  analyze: unfinished,
  'extract-audio': unfinished,
  transcription: unfinished,
  'publish-subtitles': unfinished,
  'find-scenes': unfinished,
  summarize: unfinished,
}
