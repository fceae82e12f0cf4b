import { join } from 'node:path';

/**
 * Flags of an etcd that only its own API server reaches: unix sockets in `folder`, no TCP port. The advertised URLs are
 * required, but nothing dials them, since etcd has no other member.
 */
export function etcdFlags(folder: string): readonly string[] {
  return [
    '--name=test',
    `--data-dir=${join(folder, 'etcd')}`,
    '--unsafe-no-fsync', // the data is useless after a crash of the machine
    '--log-level=warn',
    `--listen-client-urls=unix://${join(folder, 'etcd.sock')}`,
    '--advertise-client-urls=http://localhost:1',
    `--listen-peer-urls=unix://${join(folder, 'etcd-peer.sock')}`,
    '--initial-advertise-peer-urls=http://localhost:1',
    '--initial-cluster=test=http://localhost:1',
  ];
}

/** Flags of kube-apiserver on 127.0.0.1:`port`, dual stack, with the certificates in `folder`/pki. */
export function apiServerFlags(folder: string, port: number): readonly string[] {
  const pki = (name: string): string => join(folder, 'pki', name);
  return [
    `--etcd-servers=unix://${join(folder, 'etcd.sock')}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none', // the Service kubernetes has no use for a loopback address
    `--secure-port=${String(port)}`,
    `--tls-cert-file=${pki('apiserver.crt')}`,
    `--tls-private-key-file=${pki('apiserver.key')}`,
    `--client-ca-file=${pki('ca.crt')}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${pki('sa.pub')}`,
    `--service-account-signing-key-file=${pki('sa.key')}`,
    '--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112',
    '--authorization-mode=RBAC',
    '--allow-privileged=true',
    '--anonymous-auth=false',
    '--profiling=false',
  ];
}

/** Flags of kube-controller-manager, serving nothing, with the kubeconfig in `folder`/pki. */
export function controllerManagerFlags(folder: string): readonly string[] {
  const kubeconfig = join(folder, 'pki', 'controller-manager.kubeconfig');
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    '--secure-port=0',
    '--leader-elect=false', // its lease would cost a write every two seconds
    '--kube-api-qps=500', // with the default of 20 it takes seconds to collect the first garbage
    '--kube-api-burst=1000',
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${join(folder, 'pki', 'sa.key')}`,
    `--root-ca-file=${join(folder, 'pki', 'ca.crt')}`,
    '--profiling=false',
  ];
}
