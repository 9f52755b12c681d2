import type { Route } from '../http/route.js';
import { classicRoutes } from './classic.js';
import { fileRoutes } from './files.js';
import { openApiOf } from './openapi.js';
import { operatorApi } from './operator-api.js';

const openApi: Route = {
  method: 'GET',
  path: '/openapi.json',
  summary: 'this document',
  right: 'read',
  early: true,
  handle: () => openApiOf(routes),
};

/** Every endpoint; each also below /slave(1), as in Mesos. */
export const routes: readonly Route[] = [operatorApi, ...classicRoutes, ...fileRoutes, openApi];
