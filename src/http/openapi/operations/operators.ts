import { jobBody } from '../../schemas.ts';
import type { Operation, Operations } from '../operation.ts';

const prefix = '/storage/v1/admin';

const admin = (summary: string, answer: Operation['answer']): Operation => ({
  summary,
  answer,
  refusals: ['AccessDenied'],
});

const page = (summary: string, answer: Operation['answer']): Operation => ({
  summary,
  answer,
  refusals: [],
});

export const operatorOperations: Operations = {
  'GET /health/live': page('200 while the process runs', 'Live'),
  'GET /health/ready': page('200 when recovered and writable', 'Ready'),
  'GET /openapi.json': page('This document', 'document'),
  'GET /docs': page('This document, for people', 'html'),
  'GET /docs/': page('The same', 'html'),
  'GET /docs/init.js': page('What begins the page', 'javascript'),
  'GET /docs/swagger-ui-bundle.js': page('Swagger UI', 'javascript'),
  'GET /docs/swagger-ui.css': page('Its style', 'css'),
  [`GET ${prefix}/status`]: admin('What the store holds and how it is', 'Status'),
  [`GET ${prefix}/recovery`]: admin('What the last start found and did', 'Recovery'),
  [`GET ${prefix}/digest`]: admin('The digest of the views', 'Digest'),
  [`GET ${prefix}/jobs`]: admin('The jobs, the latest first', 'Jobs'),
  [`POST ${prefix}/jobs`]: {
    summary: 'Begin a job',
    json: { schema: jobBody, isOptional: true },
    answer: 'StartedJob',
    refusals: ['AccessDenied', 'InvalidRequest', 'Overloaded', 'ReadOnly'],
  },
  [`GET ${prefix}/jobs/:id`]: { ...admin('Show a job', 'Job'), refusals: ['AccessDenied'] },
  [`DELETE ${prefix}/jobs/:id`]: admin('Cancel a job', 'Job'),
};
