import { call, type Maker, needed, tagList } from '../calls.ts'

export const roles: Record<string, Maker> = {
  aws_iam_role: {
    *create(role) {
      const answer = yield call('iam', 'CreateRole', {
        RoleName: role.name,
        Description: role.description,
        AssumeRolePolicyDocument: role.assume_role_policy,
        Tags: tagList(role),
      })
      return { id: role.name, arn: needed(answer, 'Role.Arn') }
    },
    looks: ({ name, description, assume_role_policy }) => [
      {
        call: call('iam', 'GetRole', { RoleName: name }),
        at: 'Role',
        wanted: {
          Description: description,
          AssumeRolePolicyDocument: JSON.parse(String(assume_role_policy)) as unknown,
        },
      },
    ],
  },

  aws_iam_role_policy: {
    *create({ role, name, policy }) {
      yield call('iam', 'PutRolePolicy', { RoleName: role, PolicyName: name, PolicyDocument: policy })
      return {}
    },
    looks: ({ role, name, policy }) => [
      {
        call: call('iam', 'GetRolePolicy', { RoleName: role, PolicyName: name }),
        at: 'PolicyDocument',
        wanted: JSON.parse(String(policy)) as unknown,
      },
    ],
  },
}
