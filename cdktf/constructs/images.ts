import { EcrLifecyclePolicy } from '@cdktf/provider-aws/lib/ecr-lifecycle-policy/index.js'
import { EcrRepository } from '@cdktf/provider-aws/lib/ecr-repository/index.js'
import { SsmParameter } from '@cdktf/provider-aws/lib/ssm-parameter/index.js'
import { Fn, type IResolvable, Op, Token } from 'cdktf'
import { Construct } from 'constructs'
import { imageParameters, noImage, type ResourceNames } from '../../schemas/resources.ts'

export type Image = { repository: EcrRepository; parameter: SsmParameter; reference: string }

/**
 * Where images are and which one runs. The account remembers the choice, not the machine that deploys: a parameter made
 * here once, written by `npm run images` from then on.
 */
export class Images extends Construct {
  readonly controller: Image
  readonly worker: Image

  constructor(
    scope: Construct,
    id: string,
    names: ResourceNames,
    { installation, protectData }: { installation: string; protectData: boolean },
  ) {
    super(scope, id)
    const parameters = imageParameters(installation)
    this.controller = this.make('controller', names.controllerRepository, parameters.controller, protectData)
    this.worker = this.make('worker', names.workerRepository, parameters.worker, protectData)
  }

  /** The first once both images are there, the second until then. Terraform decides it, when it looks at the parameters. */
  onceThere(then: number | boolean | string, until: number | boolean | string): IResolvable {
    const oneIsMissing = Op.or(
      Op.eq(this.controller.reference, noImage),
      Op.eq(this.worker.reference, noImage),
    )
    return Token.asAny(Fn.conditional(oneIsMissing, until, then))
  }

  private make(id: string, repositoryName: string, parameterName: string, protectData: boolean): Image {
    const repository = new EcrRepository(this, id, {
      name: repositoryName,
      imageTagMutability: 'IMMUTABLE',
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfiguration: [{ encryptionType: 'AES256' }],
      forceDelete: !protectData,
    })
    new EcrLifecyclePolicy(this, `${id}-lifecycle`, {
      repository: repository.name,
      policy: JSON.stringify({
        rules: [
          {
            rulePriority: 1,
            description: 'Enough to roll back to',
            selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: imagesKept },
            action: { type: 'expire' },
          },
        ],
      }),
    })
    const parameter = new SsmParameter(this, `${id}-parameter`, {
      name: parameterName,
      description: 'The image that runs. Written by npm run images; deploy after a change.',
      type: 'String',
      // The same as `value`, but not marked as secret: plans show which image comes.
      insecureValue: noImage,
      lifecycle: { ignoreChanges: ['insecure_value'] },
    })
    return { repository, parameter, reference: parameter.insecureValue }
  }
}

const imagesKept = 50
