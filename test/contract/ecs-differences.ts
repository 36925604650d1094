/**
 * Where the model and the local ECS answer differently, and why that is right. The checks expect exactly these answers of
 * either, so none can come, go or change unseen.
 */
export const differences = {
  /** DescribeTasks of an ARN that names another cluster, account or region. */
  foreignArn: {
    why: 'AWS refuses the whole call (field reports of "Identifier is for cluster" and "Identifier is for <account>"); the local ECS calls it MISSING',
    model: { refused: 'InvalidParameterException' },
    local: { missing: 1 },
  },
  /** Fields of a stopped task that only the local ECS shows. */
  taskFields: {
    why: 'Nobody in the controller reads them, and ten thousand tasks are described at every step of a simulation',
    model: [] as string[],
    local: [
      'attachments',
      'attributes',
      'availabilityZone',
      'enableExecuteCommand',
      'ephemeralStorage',
      'fargateEphemeralStorage',
      'healthStatus',
      'inferenceAccelerators',
      'platformFamily',
      'tags',
    ],
  },
  /** Steps of `version` in one life. */
  versionSteps: {
    why: 'AWS promises no steps; the local ECS counts by one unless told otherwise, the model draws them',
    model: [1, 2],
    local: [1],
  },
  /** Parameters of RunTask that the controller does not send. */
  parameters: {
    why: 'The model throws for them, so that a controller which begins to send one is noticed',
    model: 'refused',
    local: 'taken',
  },
  /** stopCode of a task that maintenance stopped. */
  maintenanceCodes: {
    why: 'Reports know both codes; the local ECS says the newer one unless told otherwise, the model draws one',
    model: ['InfrastructureHealth', 'UserInitiated'],
    local: ['InfrastructureHealth'],
  },
  /** Wordings of the vCPU quota. */
  quotaWords: {
    why: 'AWS writes it in several ways; the local ECS has one of them, the model draws one',
    model: /^You(['’])ve reached the limit on the number of (vCPUs|tasks) you can run concurrently$/,
    local: /^You've reached the limit on the number of vCPUs you can run concurrently$/,
  },
}
