import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifySchema } from 'fastify'
import { userKinds } from '../../../schemas/kinds/index.ts'
import type { Api } from '../api.ts'
import { contentPolicy } from '../headers.ts'
import type { HttpPorts } from '../ports.ts'
import { openUploadKinds } from '../upload-problems.ts'

const directory = fileURLToPath(new URL('../page/', import.meta.url))

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/**
 * The status page: a handful of files, read once, with nothing of any job in them. They are open to everybody; the data comes
 * from the API, which asks for the token.
 */
export function pageRoutes(app: Api, ports: Pick<HttpPorts, 'objects' | 'buckets' | 'policy'>): void {
  const schema: FastifySchema = { hide: true }
  for (const name of readdirSync(directory)) {
    const contentType = contentTypes[extname(name)]
    if (contentType === undefined || name === 'index.html') continue
    const text = readFileSync(join(directory, name), 'utf8')
    app.get(`/${name}`, { schema }, async (_request, reply) =>
      reply.type(contentType).header('cache-control', 'no-cache').send(text),
    )
  }

  const page = readFileSync(join(directory, 'index.html'), 'utf8')
    .replace('{{kinds}}', userKinds.join(' '))
    .replace('{{upload-kinds}}', openUploadKinds(ports.policy).join(' '))
  app.get('/', { schema }, async (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', contentPolicy(await objectOrigins(ports)))
      .send(page),
  )
}

/** Where the links to objects lead is up to S3's client; the page may talk to these places and no other. */
async function objectOrigins({
  objects,
  buckets,
}: Pick<HttpPorts, 'objects' | 'buckets'>): Promise<string[]> {
  const links = await Promise.all([
    objects.presignPut(buckets.uploads, 'any', 60),
    objects.presignGet(buckets.outputs, 'any', 60),
  ])
  return [...new Set(links.map((link) => new URL(link).origin))]
}
