import {
  AccessDeniedException,
  BlockedException,
  ClientException,
  ClusterNotFoundException,
  ConflictException,
  ECSServiceException,
  InvalidParameterException,
  UnsupportedFeatureException,
} from '@aws-sdk/client-ecs'

/** Refusals as the SDK throws them: its own classes, so that whoever looks at a name, a class or a status sees the same. */

const from = (message: string) => ({ message, $metadata: { httpStatusCode: 400 } })

export const invalidParameter = (message: string) => new InvalidParameterException(from(message))
export const clientException = (message: string) => new ClientException(from(message))
export const clusterNotFound = () => new ClusterNotFoundException(from('Cluster not found.'))
export const taskNotFound = () => invalidParameter('The referenced task was not found.')

/** Not modelled in the SDK: it is known by its name only (ECS API reference, "Request throttling"). */
export const throttled = () =>
  new ECSServiceException({ ...from('Rate exceeded'), name: 'ThrottlingException', $fault: 'client' })

export const conflict = (resourceIds: string[]) =>
  new ConflictException({
    ...from('The clientToken was already used by a request with other parameters.'),
    resourceIds,
  })

/** What the same request meets again however often it is sent (ECS API reference, RunTask, errors). */
export const permanentErrors = [
  () => new AccessDeniedException(from('You are not authorized to perform: iam:PassRole')),
  () => new BlockedException(from('Your AWS account has been blocked. Contact AWS Support.')),
  () => new UnsupportedFeatureException(from('The specified task is not supported in this Region.')),
  () => clientException('ECS was unable to assume the role of the task.'),
  () => invalidParameter('The subnet ID does not exist'),
] as const
