"""A full stack whose services reach Kafka and Redis through proxies that tests can break.

Four links: of collectors and of processors, to Kafka and to Redis. The broker has a listener for
each kind of service and names the proxy before it as its address, so that clients stay on it for
every connection. Tests and Kafka's own tools go past the proxies.
"""

from support.cluster import Cluster, KafkaBroker, Listener, free_port
from support.tcp_proxy import TcpProxy

KINDS = ("collector", "processor")


class ProxiedCluster(Cluster):
    def __init__(self, folder, collectors, processors, seed):
        ports = {kind: free_port() for kind in KINDS}
        self.links = {f"{kind}-kafka": TcpProxy(ports[kind], seed) for kind in KINDS}
        listeners = [
            Listener(f"{kind.upper()}S", ports[kind],
                     advertised=self.links[f"{kind}-kafka"].address) for kind in KINDS]
        self._seed = seed
        super().__init__(folder, collectors, processors, broker=KafkaBroker(
            folder / "kafka", free_port(), listeners=listeners))

    def kafka_of(self, kind):
        return self.links[f"{kind}-kafka"].address

    def redis_of(self, kind):
        name = f"{kind}-redis"
        if name not in self.links:
            self.links[name] = TcpProxy(self.redis_port, self._seed)
        return f"redis://{self.links[name].address}"

    def heal(self):
        for link in self.links.values():
            link.heal()

    def close(self):
        try:
            self.heal()
            super().close()
        finally:
            for link in self.links.values():
                link.close()
