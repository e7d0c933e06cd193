public import ControlProtocol
public import ControlSocket
public import FlinkREST
internal import HostEnvironment
public import StreamModel

/// A probe of an engine without a connection: whether it answers, as what, and how fast.
public enum EngineProbe {
    /// The greeting of an engine behind its socket, and the time it took.
    public static func socket(_ path: String, client: String, trust: EngineTrust, timeout: Milliseconds) throws(ControlClientError) -> (
        hello: HelloReply, took: Milliseconds
    ) {
        let start = EngineInstant.now()
        let link = try ControlClient.connectAndWait(path: path, client: client, trust: trust, timeout: timeout)
        defer { link.close() }
        return (link.hello, EngineInstant.now() - start)
    }

    /// A cluster's description of itself, and the time its answers took. A history server has no overview.
    public static func flink(
        _ connection: FlinkConnection
    ) throws(FlinkFailure) -> (configuration: FlinkClusterConfiguration, overview: FlinkClusterOverview?, took: Milliseconds) {
        let client = FlinkClient(connection)
        defer { client.close() }
        let start = EngineInstant.now()
        let configuration = try client.answer(to: .configuration)
        let overview = configuration.isHistoryServer ? nil : try client.answer(to: .overview)
        return (configuration, overview, EngineInstant.now() - start)
    }
}
