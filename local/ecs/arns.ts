export type Arns = {
  cluster(name: string): string
  task(cluster: string, taskId: string): string
  container(cluster: string, taskId: string, uuid: string): string
  definition(family: string, revision: number): string
  /** The name behind a name or ARN of a cluster; undefined for an ARN that is not one of this account and region. */
  clusterName(reference: string): string | undefined
  /** The id behind an id or ARN of a task, with the cluster when the ARN says it. */
  taskReference(reference: string): { taskId: string; cluster?: string } | undefined
  /** `family`, `family:revision` or an ARN of one. */
  definitionReference(reference: string): { family: string; revision?: number } | undefined
}

/** ARNs of one account and region, written and read. The formats: ECS developer guide, "Amazon Resource Names". */
export function createArns(region: string, accountId: string): Arns {
  const prefix = `arn:aws:ecs:${region}:${accountId}:`

  /** What follows `<prefix><type>/`, or the whole reference when it is no ARN. */
  const local = (reference: string, type: string): string | undefined => {
    if (!reference.startsWith('arn:')) return reference
    const start = `${prefix}${type}/`
    return reference.startsWith(start) ? reference.slice(start.length) : undefined
  }

  return {
    cluster: (name) => `${prefix}cluster/${name}`,
    task: (cluster, taskId) => `${prefix}task/${cluster}/${taskId}`,
    container: (cluster, taskId, uuid) => `${prefix}container/${cluster}/${taskId}/${uuid}`,
    definition: (family, revision) => `${prefix}task-definition/${family}:${revision}`,

    clusterName: (reference) => local(reference, 'cluster'),

    taskReference: (reference) => {
      const [first, second] = local(reference, 'task')?.split('/') ?? []
      if (first === undefined) return undefined
      return second === undefined ? { taskId: first } : { taskId: second, cluster: first }
    },

    definitionReference: (reference) => {
      const [family, revision, more] = local(reference, 'task-definition')?.split(':') ?? []
      if (!family || more !== undefined) return undefined
      if (revision === undefined) return { family }
      return /^[1-9]\d*$/.test(revision) ? { family, revision: Number(revision) } : undefined
    },
  }
}
