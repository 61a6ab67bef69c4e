// The entry of routing: from a model name to the upstreams that may serve it, and a request's way through them.
export { ChainIndex, type ChainSources, type PlanRequest } from './chain-index.js';
export { classifyAnswer, classifyHiddenError, classifyStreamError, MOST_ERROR_BYTES } from './classify-answer.js';
export { classifyFault, type AnswerStage } from './classify-fault.js';
export type { NominalCost, PlanParts } from './compile-chain.js';
export { conversationKey } from './conversation-key.js';
export { ERROR_MATRIX } from './error-matrix.js';
export { failureOf, type Failure } from './failure.js';
export { betaHeader, ModelIndex, splitLongContext, type ModelCatalogue, type Target } from './model-index.js';
export { refusalOf, routeHeaders } from './refusal.js';
export { ResponseOwners } from './response-owners.js';
export { retryAfterMs } from './retry-after.js';
export type { RoutingSource } from './route-observer.js';
export type { PlanTarget, RoutePlan } from './route-plan.js';
export type { Attempt, RouteContext, RouteRun, Verdict } from './route-run.js';
export { Router } from './router.js';
export { RoutingAdminModule, RoutingModule } from './routing.module.js';
