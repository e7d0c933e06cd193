public import AsyncHTTPClient
public import NIOCore
internal import Synchronization

/// An HTTP client that is made with its first request and keeps its connections. Safe from any thread.
public final class LazyHTTPClient: Sendable {
    private struct State {
        var client: HTTPClient?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let eventLoops: any EventLoopGroup

    public init(on eventLoops: any EventLoopGroup) { self.eventLoops = eventLoops }

    deinit { close() }

    /// - Parameter closed: thrown once it is closed.
    public func client<Failure: Error>(
        orThrow closed: Failure, _ configuration: () throws(Failure) -> HTTPClient.Configuration
    ) throws(Failure) -> HTTPClient {
        let made: Result<HTTPClient, Failure> = state.withLock { state in
            guard !state.isClosed else { return .failure(closed) }
            if let client = state.client { return .success(client) }
            do throws(Failure) {
                let client = HTTPClient(eventLoopGroupProvider: .shared(eventLoops), configuration: try configuration())
                state.client = client
                return .success(client)
            } catch {
                return .failure(error)
            }
        }
        return try made.get()
    }

    /// Gives up on everything that is on its way, and takes no more.
    public func close() {
        let client = state.withLock { state in
            state.isClosed = true
            defer { state.client = nil }
            return state.client
        }
        client?.shutdown { _ in }
    }
}
