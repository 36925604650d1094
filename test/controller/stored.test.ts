import { describe, expect, test } from 'vitest'
import { judge } from '../../controller/reconcile/outcome.ts'
import { type Item, readStored } from '../../controller/store/stored.ts'
import { makeUid } from '../../schemas/ids.ts'
import type { Job } from '../../schemas/job.ts'
import {
  acceptedMs,
  finished,
  job,
  jobId,
  refused,
  running,
  settings,
  started,
  starting,
  stop,
  stopping,
  uid,
} from '../support/job.ts'

const tombstone: Item = { jobId, uid, phase: 'Succeeded', expiresAt: acceptedMs / 1000 }

describe('what stands under an id', () => {
  test('nothing', () => {
    expect(readStored(undefined)).toEqual({ is: 'none' })
  })

  test.each<[string, Item]>([
    ['new', { jobId, kind: 'transcode', phase: 'Submitted', spec: {} }],
    ['new, without a phase', { jobId, kind: 'transcode', spec: {} }],
    ['overwritten while it ran', { ...running(), uid: undefined }],
    ['a copy of a running one', { ...running(), jobId: 'copy' }],
    ['a copy of a finished one', { ...finished(), jobId: 'copy' }],
    ['a copy of a tombstone', { ...tombstone, jobId: 'copy' }],
    ['with a uid that somebody made up', { ...job(), uid: 'made-up' }],
    ['nothing but its id', { jobId }],
  ])('%s: submitted, and nothing is known of a life before', (_name, item) => {
    expect(readStored(item)).toEqual({ is: 'submitted', item, old: undefined })
  })

  test('finished and asked for again: submitted, with its life before', () => {
    const item: Item = { ...finished('Failed'), phase: 'Submitted' }
    expect(readStored(item)).toMatchObject({ is: 'submitted', old: { uid, lastAttempt: 1 } })
  })

  test('members that a later version has added are kept, and break nothing', () => {
    const later = running({
      attempts: running().attempts.map((attempt) => ({ ...attempt, later: 1 })),
      settings: { ...settings(), later: 2, input: { ...settings().input, later: 3 } } as Job['settings'],
    })
    expect(readStored({ ...later })).toMatchObject({
      is: 'accepted',
      job: { attempts: [{ later: 1 }], settings: { later: 2, input: { later: 3 } } },
    })
  })

  test('Submitted over a live one is an edit like any other', () => {
    expect(readStored({ ...running(), phase: 'Submitted' })).toMatchObject({
      is: 'accepted',
      job: { phase: 'Submitted' },
    })
  })

  test.each([
    ['Pending', job()],
    ['released', refused(1000)],
    ['Starting', starting()],
    ['started', started()],
    ['Running', running()],
    ['Stopping', stopping('Cancel')],
    ['Succeeded', finished()],
  ])('%s: accepted', (_name, item) => {
    expect(readStored(item)).toEqual({ is: 'accepted', job: item, item })
  })

  test('accepted, whatever its user makes of the spec, or adds', () => {
    for (const spec of [undefined, null, 7, 'x', [], { cancel: 'yes' }])
      expect(readStored({ ...running(), spec, mine: [1] })).toMatchObject({ is: 'accepted' })
  })

  test('the kind is the one that was accepted, whatever somebody wrote there since', () => {
    const accepted = running({ settings: settings({ kind: 'transcode' }) })
    const edited = readStored({ ...accepted, kind: 'container' })
    expect(edited).toMatchObject({ is: 'accepted', job: { kind: 'transcode' }, item: { kind: 'container' } })
    // Exit code 0 is success for a container only.
    if (edited.is === 'accepted') expect(judge(edited.job, stop()).next).toBe('retry')
  })

  test('the kind of a record from before settings had one is its own', () => {
    expect(readStored({ ...running(), kind: 'container' })).toMatchObject({ job: { kind: 'container' } })
  })

  test.each<unknown>([undefined, 7, {}, { toString: 1 }])(
    'accepted, although its kind is %j: it failed for that',
    (kind) => {
      expect(readStored({ ...finished('Failed'), kind })).toMatchObject({ is: 'accepted', job: { kind: '' } })
    },
  )

  test('what is left of a reaped one', () => {
    expect(readStored(tombstone)).toEqual({ is: 'tombstone', phase: 'Succeeded', uid, sequencer: undefined })
    expect(readStored({ ...tombstone, sequencer: '0055' })).toMatchObject({ sequencer: '0055' })
    const asked = { kind: 'container', specHash: '0123456789abcdef' }
    expect(readStored({ ...tombstone, ...asked })).toMatchObject({ is: 'tombstone', ...asked })
  })

  test('a user’s expiresAt makes no tombstone', () => {
    expect(readStored({ ...finished(), expiresAt: 1 })).toMatchObject({ is: 'accepted' })
    expect(readStored({ ...tombstone, uid: makeUid('other', 'abcdefghijkl') })).toMatchObject({
      is: 'submitted',
    })
    expect(readStored({ ...tombstone, phase: 'Running' })).toMatchObject({ is: 'broken' })
  })

  test.each<[string, Item, RegExp]>([
    ['a ledger that is a text', { attempts: 'none of your business' }, /^attempts/],
    ['a phase that is none', { phase: 'Done' }, /^phase/],
    ['no phase', { phase: undefined }, /^phase/],
    ['no settings', { settings: undefined }, /^settings/],
    [
      'a limit that is a text',
      { settings: { ...job().settings, limits: { attempts: 'many' } } },
      /^settings\.limits/,
    ],
    ['a time that is none', { acceptedAt: 'yesterday' }, /^acceptedAt/],
    ['a revision that is none', { revision: -1 }, /^revision/],
    ['a claim that is none', { claim: 'mine' }, /^claim/],
    ['an attempt without a number', { attempts: [{}] }, /^attempts\[0\]/],
    [
      'what cannot even be compared',
      { fence: { length: { toString: 1 } }, history: { length: { toString: 1 } } },
      /./,
    ],
  ])('ours, but damaged: %s', (_name, damage, field) => {
    const stored = readStored({ ...running(), ...damage })
    expect(stored.is).toBe('broken')
    expect(stored.is === 'broken' && stored.problems[0]?.field).toMatch(field)
  })
})
