import { EcrRepository } from '@cdktf/provider-aws/lib/ecr-repository/index.js'
import { EcsService } from '@cdktf/provider-aws/lib/ecs-service/index.js'
import { SsmParameter } from '@cdktf/provider-aws/lib/ssm-parameter/index.js'
import { expect, test } from 'vitest'
import './matchers.ts'
import { synthesizedText } from '../support/synthesized.ts'

const dev = synthesizedText('dev')

test.each(['dev-controller', 'dev-worker'])(
  'what is in repository %s is scanned, and never replaced',
  (name) => {
    expect(dev).toHaveResourceWithProperties(EcrRepository, {
      name,
      image_tag_mutability: 'IMMUTABLE',
      image_scanning_configuration: { scan_on_push: true },
    })
  },
)

test.each(['/dev/images/controller', '/dev/images/worker'])(
  'the account remembers in %s which image runs, and a deployment leaves that alone',
  (name) => {
    expect(dev).toHaveResourceWithProperties(SsmParameter, {
      name,
      type: 'String',
      insecure_value: 'none',
      lifecycle: { ignore_changes: ['insecure_value'] },
    })
  },
)

test('no controller runs until both images are there, then two', () => {
  expect(dev).toHaveResourceWithProperties(EcsService, {
    desired_count: expect.stringMatching(
      /^\$\{\(\(aws_ssm_parameter\.images_controller-parameter_\w+\.insecure_value == "none"\) \|\| \(aws_ssm_parameter\.images_worker-parameter_\w+\.insecure_value == "none"\)\) \? 0 : 2\}$/,
    ),
  })
})
