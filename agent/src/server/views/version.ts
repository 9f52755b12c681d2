import { version } from '../../version.js';

/** When a package was built is not known, and no two builds of a version differ. */
export const versionInfo = () => ({ version: version(), build_date: '', build_time: 0, build_user: '' });
