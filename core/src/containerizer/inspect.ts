import { LaunchPlan } from '@caisson/plugin-sdk';
import type { ManagedContainer } from './managed-container.js';
import type { ContainerDetails, ContainerSummary } from './types.js';

export function summaryOf(container: ManagedContainer): ContainerSummary {
  const { id, view, state, pid, place, config, createdAt, termination, problem } = container;
  return {
    id,
    parentId: view.parentId,
    class: view.class,
    state,
    pid: state === 'ENDED' ? undefined : pid,
    sandbox: place.sandbox,
    labels: config.labels ?? {},
    createdAt,
    termination,
    problem,
  };
}

export function detailsOf(container: ManagedContainer): ContainerDetails {
  const { config, resources, limits, plan, planData, launcher, isolation, timings } = container;
  return {
    ...summaryOf(container),
    config,
    resources,
    limits,
    plan: structuredClone(plan?.data ?? planData),
    launcher,
    isolation,
    timings: structuredClone(timings),
    systemCalls: systemCallsOf(container),
  };
}

function systemCallsOf({ generation, view, plan, planData }: ManagedContainer): string | undefined {
  const shown = plan ?? (planData && new LaunchPlan(planData));
  return shown && generation.launcher.describe?.(view, shown);
}
