import type { Configuration } from '../schemas/configuration.ts'
import type { Network, Networks } from './reconcile/launch.ts'

/** Where the tasks of each group stand in the network; what nobody said about the internet is as for all others, and of seeding as for the internet. */
export function networksOf(configuration: Configuration): Networks {
  const usual: Network = {
    subnets: configuration.SUBNETS,
    securityGroups: configuration.SECURITY_GROUPS,
    assignPublicIp: configuration.ASSIGN_PUBLIC_IP,
  }
  const internet = other(usual, {
    subnets: configuration.INTERNET_SUBNETS,
    securityGroups: configuration.INTERNET_SECURITY_GROUPS,
    assignPublicIp: configuration.INTERNET_ASSIGN_PUBLIC_IP,
  })
  const seeding = other(internet, {
    subnets: configuration.SEEDING_SUBNETS,
    securityGroups: configuration.SEEDING_SECURITY_GROUPS,
    assignPublicIp: configuration.SEEDING_ASSIGN_PUBLIC_IP,
  })
  return { media: usual, own: usual, internet, seeding }
}

type Said = Pick<Network, 'subnets' | 'securityGroups'> & {
  assignPublicIp: Network['assignPublicIp'] | undefined
}

const other = (usual: Network, { subnets, securityGroups, assignPublicIp }: Said): Network => ({
  subnets: subnets.length > 0 ? subnets : usual.subnets,
  securityGroups: securityGroups.length > 0 ? securityGroups : usual.securityGroups,
  assignPublicIp: assignPublicIp ?? usual.assignPublicIp,
})
