/** What a person who deploys may choose, as environment variables. */
export const existingNetwork = {
  NETWORK: 'existing',
  EXISTING_VPC_ID: 'vpc-0123456789abcdef0',
  EXISTING_SUBNET_IDS: 'subnet-0123456789abcdef0, subnet-0123456789abcdef1',
}

export const networks = {
  public: { NETWORK: 'public' },
  endpoints: { NETWORK: 'endpoints' },
  'endpoints with internet': { NETWORK: 'endpoints', NETWORK_INTERNET: 'true' },
  nat: { NETWORK: 'nat' },
  'nat in every zone': { NETWORK: 'nat', NAT_GATEWAYS: 'per-zone' },
  existing: existingNetwork,
} as const

export const loadBalanced = {
  CERTIFICATE_ARN: 'arn:aws:acm:us-east-1:123456789012:certificate/6f1c',
  API_TOKEN_SECRET_ARN: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:api-token-AbCdEf',
  ALLOWED_CIDRS: '203.0.113.0/24, 198.51.100.7/32',
}

/** Order of lists whose order means nothing. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
