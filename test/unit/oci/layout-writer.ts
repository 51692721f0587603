// Tags an image of a layout many times: `layout-writer DIRECTORY DIGEST NAME COUNT`. Several of these run at once.
import { openLayout } from '../../../shared/oci/index.ts';

const [directory, digest, name, count] = process.argv.slice(2);
const layout = await openLayout(directory!);
const { bytes, descriptor } = await layout.manifest(digest!);
for (let i = 0; i < Number(count); i++)
  await layout.putManifest(bytes, descriptor.mediaType, [`${name}${i}`]);
