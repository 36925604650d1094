const unknownSpeaker = 'Unknown speaker'

/**
 * Names for the labels of a recogniser: the first to speak is Speaker 1. Nobody knows who they really are. Pure.
 * @param labels in the order of speaking, each as often as it likes
 */
export const speakerNames = (
  labels: readonly (string | undefined)[],
): ((label: string | undefined) => string) => {
  const known = [...new Set(labels.filter((label) => label !== undefined))]
  return (label) => {
    const index = label === undefined ? -1 : known.indexOf(label)
    return index < 0 ? unknownSpeaker : `Speaker ${index + 1}`
  }
}
