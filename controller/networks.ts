import type { Configuration } from '../schemas/configuration.ts'
import type { Network, Networks } from './reconcile/launch.ts'

/** Where the tasks of each group stand in the network; what nobody said about the internet is as for all others. */
export function networksOf(configuration: Configuration): Networks {
  const usual: Network = {
    subnets: configuration.SUBNETS,
    securityGroups: configuration.SECURITY_GROUPS,
    assignPublicIp: configuration.ASSIGN_PUBLIC_IP,
  }
  const { INTERNET_SUBNETS: subnets, INTERNET_SECURITY_GROUPS: securityGroups } = configuration
  return {
    media: usual,
    own: usual,
    internet: {
      subnets: subnets.length > 0 ? subnets : usual.subnets,
      securityGroups: securityGroups.length > 0 ? securityGroups : usual.securityGroups,
      assignPublicIp: configuration.INTERNET_ASSIGN_PUBLIC_IP ?? usual.assignPublicIp,
    },
  }
}
