/** Names of the files of a transcode, below the output prefix. What is in the manifest has a role; names are for people. */
export const masterName = 'master.m3u8'
export const metadataName = 'metadata.json'
export const posterName = 'poster.jpg'
export const storyboardName = 'storyboard.vtt'
export const thumbnailFolder = 'thumbnails'
export const downloadFolder = 'download'
