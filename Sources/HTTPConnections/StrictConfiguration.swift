public import AsyncHTTPClient
internal import NIOCore
public import StreamModel

extension HTTPClient.Configuration {
    /// A client that does nothing unasked: it follows no redirect, unpacks no answer and tries no connection again.
    /// - Parameter connections: to one host at the same time.
    public static func strict(connect: Milliseconds, read: Milliseconds, connections: Int) -> Self {
        var configuration = Self()
        // A redirect could take credentials to another host.
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .milliseconds(connect.count), read: .milliseconds(read.count))
        configuration.httpVersion = .http1Only
        configuration.decompression = .disabled
        configuration.connectionPool = .init(idleTimeout: .seconds(60), concurrentHTTP1ConnectionsPerHostSoftLimit: connections)
        // Who polls decides when to try again.
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }
}
