#!/bin/bash
# node-init.sh: pid 1 of a one-node Kubernetes cluster, in its own mount, pid and network namespaces; node.ts starts it.
# Everything in the cluster descends from this process, so ending it ends the cluster.
#
#   FOLDER   the folder for the cluster's files; FOLDER/pki exists already
#   BIN      the folder of the programs that build.sh builds
#   CLIENT   a process whose network namespace gets the other end of the node's only link
#   IMAGES   image archives to import, separated by spaces
#
# The client reaches the node, the Pods and the Services; nothing in the cluster reaches anything beyond the client.
set -euo pipefail

readonly node4=172.31.0.2 node6=fd00:172:31::2 client4=172.31.0.1 client6=fd00:172:31::1
readonly services4=10.96.0.0/16 services6=fd00:10:96::/112
readonly pods4=10.244.0.0/24 pods6=fd00:10:244::/64
readonly pki=$FOLDER/pki cri=/run/containerd/containerd.sock
cgroup=/kube-$(basename "$FOLDER")
readonly cgroup
export PATH=$BIN:$PATH

link_to_client() {
  local -r namespace=/proc/$CLIENT/ns/net # from the outer /proc, so before ours is mounted
  local -r client=(nsenter --net="$namespace" --)
  ip link add eth0 type veth peer name node netns "$namespace"
  "${client[@]}" ip addr add $client4/30 dev node
  "${client[@]}" ip -6 addr add $client6/126 dev node nodad
  "${client[@]}" ip link set node up
  ip link set lo up
  ip link set eth0 up
  ip addr add $node4/30 dev eth0
  ip -6 addr add $node6/126 dev eth0 nodad
  ip route add default via $client4
  ip -6 route add default via $client6
  for subnet in $services4 $pods4; do "${client[@]}" ip route add $subnet via $node4; done
  for subnet in $services6 $pods6; do "${client[@]}" ip -6 route add $subnet via $node6; done
  sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0
  sysctl -qw net.ipv4.ip_unprivileged_port_start=0 # so that Pods on hostNetwork may bind any port
}

mount_file_systems() {
  mount -t proc proc /proc
  mkdir -p "$FOLDER/cgroup"
  mount --rbind /sys/fs/cgroup "$FOLDER/cgroup"
  mount -t sysfs sysfs /sys # shows this network namespace; hides the cgroups
  mount --rbind "$FOLDER/cgroup" /sys/fs/cgroup
  umount -l "$FOLDER/cgroup"
  mount -t tmpfs tmpfs /run
  mkdir -p /run/containerd /run/netns
  mkdir -p "$FOLDER"/var/{upper,work} # kubelet writes to /var/lib and /var/log wherever its own folder is
  mount -t overlay overlay -o "lowerdir=/var,upperdir=$FOLDER/var/upper,workdir=$FOLDER/var/work" /var
  mount --make-rshared /
}

make_cgroups() {
  local hierarchy file
  for hierarchy in /sys/fs/cgroup/*/; do
    [ ! -e "$hierarchy/cgroup.procs" ] || mkdir -p "$hierarchy$cgroup"
  done
  for hierarchy in /sys/fs/cgroup/cpuset; do # cgroup v1 only: a new group has neither
    [ -e $hierarchy/cpuset.cpus ] || continue
    for file in cpus mems; do cat $hierarchy/cpuset.$file >"$hierarchy$cgroup/cpuset.$file"; done
  done
}

write_containerd_config() {
  cat >"$FOLDER/containerd.toml" <<TOML
version = 3
root = "$FOLDER/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing", "io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "$cri"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "test.local/pause:1"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true # needed where root lacks CAP_SYS_RESOURCE
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["$BIN"]
    conf_dir = "$FOLDER/cni"
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = "$BIN/runc"
        SystemdCgroup = false
TOML
  mkdir -p "$FOLDER/cni"
  cat >"$FOLDER/cni/10-bridge.conflist" <<JSON
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "/run/cni-ipam",
            "ranges": [[{"subnet": "$pods4"}], [{"subnet": "$pods6"}]],
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}}]}
JSON
}

write_kubelet_config() {
  printf 'search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n' >"$FOLDER/resolv.conf"
  cat >"$FOLDER/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $pki/kubelet.crt
tlsPrivateKeyFile: $pki/kubelet.key
containerRuntimeEndpoint: unix://$cri
cgroupDriver: cgroupfs
cgroupRoot: $cgroup
failCgroupV1: false # the newest kubelet refuses cgroup v1 otherwise
failSwapOn: false
clusterDomain: cluster.local
clusterDNS: [10.96.0.10]
resolvConf: $FOLDER/resolv.conf
podLogsDir: $FOLDER/pods
volumePluginDir: $FOLDER/volume-plugins
readOnlyPort: 0
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 0%, nodefs.available: 0%, imagefs.available: 0%, nodefs.inodesFree: 0%}
YAML
}

write_proxy_config() {
  cat >"$FOLDER/proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $pki/proxy.kubeconfig}
clusterCIDR: 10.244.0.0/16,fd00:10:244::/56
hostnameOverride: node1
nodePortAddresses: [primary]
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
nftables: {syncPeriod: 30s, minSyncPeriod: 100ms}
YAML
}

# Logs the requests of service accounts, which the tests compare with their rights.
write_audit_policy() {
  cat >"$FOLDER/audit-policy.yaml" <<YAML
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, userGroups: ["system:serviceaccounts"]}
- {level: None}
YAML
}

# start NAME COMMAND...: runs COMMAND in the background, with its output in log/NAME.log
start() {
  local -r name=$1
  shift
  "$@" >"$FOLDER/log/$name.log" 2>&1 </dev/null &
}

# await WHAT COMMAND...: waits until COMMAND succeeds
await() {
  local -r what=$1
  shift
  local i
  for ((i = 0; i < 900; i++)); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "not within 90 s: $what" >&2
  exit 1
}

start_containerd() {
  local archive
  start containerd containerd --config "$FOLDER/containerd.toml" --log-level warn
  await containerd ctr -a $cri version
  for archive in $IMAGES; do ctr -a $cri -n k8s.io images import --local "$archive" >>"$FOLDER/log/images.log"; done
}

start_api_server() {
  start etcd kube etcd --name=test --data-dir="$FOLDER/etcd" --unsafe-no-fsync --log-level=warn \
    --listen-client-urls="unix://$FOLDER/etcd.sock" --advertise-client-urls=http://localhost:1 \
    --listen-peer-urls="unix://$FOLDER/etcd-peer.sock" --initial-advertise-peer-urls=http://localhost:1 \
    --initial-cluster=test=http://localhost:1
  start kube-apiserver kube kube-apiserver --etcd-servers="unix://$FOLDER/etcd.sock" \
    --bind-address=:: --advertise-address=$node4 --secure-port=6443 \
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" \
    --kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key" \
    --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key" \
    --service-cluster-ip-range=$services4,$services6 --authorization-mode=Node,RBAC \
    --audit-policy-file="$FOLDER/audit-policy.yaml" --audit-log-path="$FOLDER/log/audit.log" \
    --enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement --allow-privileged=true --anonymous-auth=false --profiling=false
}

api_server_is_ready() {
  [ "$(curl -s -m 2 --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" \
    https://127.0.0.1:6443/readyz)" = ok ]
}

# start_controller COMPONENT FLAG...: starts a component that works only through the API server
start_controller() {
  local -r component=$1 kubeconfig=$pki/${1#kube-}.kubeconfig
  shift
  start "$component" kube "$component" --kubeconfig="$kubeconfig" --authentication-kubeconfig="$kubeconfig" \
    --authorization-kubeconfig="$kubeconfig" --bind-address=127.0.0.1 --leader-elect=false --profiling=false \
    --kube-api-qps=500 --kube-api-burst=1000 "$@"
}

mkdir -p "$FOLDER"/{kubelet,pods,log}
link_to_client
mount_file_systems
make_cgroups
write_containerd_config
write_kubelet_config
write_proxy_config
write_audit_policy
start_api_server
start_containerd
await 'API server ready' api_server_is_ready # the controller manager exits if it starts before the RBAC bootstrap
start_controller kube-controller-manager --use-service-account-credentials=true \
  --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" \
  --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" \
  --service-cluster-ip-range=$services4,$services6 --allocate-node-cidrs=true \
  --cluster-cidr=10.244.0.0/16,fd00:10:244::/56 --node-cidr-mask-size-ipv4=24 --node-cidr-mask-size-ipv6=64 \
  --horizontal-pod-autoscaler-sync-period=1s
start_controller kube-scheduler
start kube-proxy kube kube-proxy --config="$FOLDER/proxy.yaml"
start kubelet kube kubelet --config="$FOLDER/kubelet.yaml" --kubeconfig="$pki/kubelet.kubeconfig" \
  --root-dir="$FOLDER/kubelet" --hostname-override=node1 --node-ip=$node4,$node6
# As pid 1 this shell inherits every orphan, which bash reaps while it waits.
while :; do
  wait -n 2>/dev/null || true
  sleep 0.2
done
