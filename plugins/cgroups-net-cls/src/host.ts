import { controllerProblem } from '@caisson/linux/cgroups';

/**
 * Why this host has no network classes; undefined if it has. Version 2 has no such controller, but a host that uses version 2
 * for everything else can have the hierarchy of version 1 beside it, where the kernel was built with it.
 */
export function whyUnsupported(): string | undefined {
  const problem = controllerProblem('net_cls');
  return (
    problem &&
    `${problem} (CONFIG_CGROUP_NET_CLASSID): leave the isolator out, and match the cgroup itself, which cgroups/pids gives each ` +
      'container, with `iptables -m cgroup --path caisson/<id>` or `socket cgroupv2` of nftables'
  );
}
