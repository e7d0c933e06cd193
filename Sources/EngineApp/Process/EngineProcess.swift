internal import ControlSocket
internal import EngineHost
internal import Glibc
internal import StreamModel

/// What `weir engine` is told.
public struct EngineOptions: Sendable {
    public var name: String
    public var socketPath: String
    public var viewerSocketPath: String?
    public var stateDirectory: String
    /// End when standard input ends, and with it the parent that holds its other end.
    public var endsWithInput: Bool

    public init(
        name: String = "local", socketPath: String? = nil, viewerSocketPath: String? = nil, stateDirectory: String? = nil,
        endsWithInput: Bool = false
    ) {
        self.name = name
        self.socketPath = socketPath ?? SocketPath.standard()
        self.viewerSocketPath = viewerSocketPath
        self.stateDirectory = stateDirectory.map(StandardPaths.absolute) ?? StandardPaths.engineState
        self.endsWithInput = endsWithInput
    }
}

/// An engine as a process: until SIGTERM or SIGINT, which suspend its jobs.
public enum EngineProcess {
    /// Runs until told to end. Call it on the main thread before any other thread is started. Returns the exit status.
    public static func run(_ options: EngineOptions, output: Output = .standard) -> Int32 {
        let signals = EndSignals()
        guard OpenFiles.suffice(for: "weir engine", OpenFileLimit.neededByEngine, output) else { return ExitStatus.failed.rawValue }
        if options.endsWithInput { EndSignals.followInput() }
        let host: RunningEngine
        do throws(RunningEngine.Failure) {
            host = try RunningEngine.open(options, output: output)
        } catch {
            output.say(error.description)
            return error.status.rawValue
        }
        host.service.recover()
        output.say("engine '\(options.name)' listens at \(options.socketPath), state in \(options.stateDirectory) (pid \(getpid()))")
        while signals.wait(.minutes(60)) == nil {}
        output.say("engine '\(options.name)' suspends its jobs and ends")
        host.close()
        return ExitStatus.ok.rawValue
    }
}

/// A service behind its socket: what the engine process and `weir run` share.
struct RunningEngine {
    struct Failure: Error, CustomStringConvertible {
        var description: String
        var status: ExitStatus
        /// Another engine answers at the socket path.
        var isSocketTaken = false
    }

    let service: EngineService
    let server: ControlServer

    /// Takes the state directory, then the socket; jobs are not back yet.
    static func open(_ options: EngineOptions, output: Output) throws(Failure) -> RunningEngine {
        let service: EngineService
        do throws(StateDirectory.Problem) { try StateDirectory.requireOwn(options.stateDirectory) } catch {
            throw Failure(description: error.description, status: .refused)
        }
        do throws(EngineStoreError) {
            service = try EngineService(name: options.name, stateDirectory: options.stateDirectory, say: { output.say($0) })
        } catch {
            throw Failure(description: error.description, status: .refused)
        }
        do throws(ControlServerError) {
            let server = try ControlServer.start(path: options.socketPath, viewerPath: options.viewerSocketPath, handler: service)
            service.publish(to: server)
            return RunningEngine(service: service, server: server)
        } catch {
            service.shutDown()
            var failure = Failure(description: error.description, status: .refused)
            if case .live = error { failure.isSocketTaken = true }
            throw failure
        }
    }

    /// Suspends the jobs, then takes the socket away: a client that asks meanwhile is told.
    func close() {
        service.shutDown()
        server.stop()
    }
}
