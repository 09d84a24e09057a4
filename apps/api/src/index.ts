export { type AppDeps, buildApp } from './app.js';
export type { Configuration, ProcessRole } from './configuration.js';
export { parseConfiguration } from './configuration.js';
export { type Gateway, type GatewayAddresses, startGateway } from './gateway/start-gateway.js';
export { openApiText } from './openapi-text.js';
export { REQUEST_RATE_DEFAULT, type RequestRate } from './plugins/rate-limit.js';
export { type RunningProcess, startProcess } from './start-process.js';
