public import ControlSocket
internal import Glibc
public import HostEnvironment
internal import StreamModel

/// Options of `weir engine`.
public struct EngineOptions: Sendable {
    public var name: String
    public var socketPath: String
    public var viewerSocketPath: String?
    public var stateDirectory: String
    /// Whether to end with standard input, and so with the parent that holds its other end.
    public var endsWithInput: Bool
    /// Maximum number of subtasks of an operator. Each is a thread, and each pair of them that exchanges records has a ring.
    public var maxParallelism: Int

    public static var usualMaxParallelism: Int { 64 * max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    public init(
        name: String = "local", socketPath: String? = nil, viewerSocketPath: String? = nil, stateDirectory: String? = nil,
        endsWithInput: Bool = false, maxParallelism: Int? = nil
    ) {
        self.name = name
        self.socketPath = socketPath ?? SocketPath.standard()
        self.viewerSocketPath = viewerSocketPath
        self.stateDirectory = stateDirectory.map(StandardPaths.absolute) ?? StandardPaths.engineState
        self.endsWithInput = endsWithInput
        self.maxParallelism = maxParallelism ?? Self.usualMaxParallelism
    }
}

/// An engine as a process, running until SIGTERM or SIGINT, which suspend its jobs.
public enum EngineProcess {
    /// Runs until told to end. Call it on the main thread before starting other threads. Returns the exit status.
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

/// A service behind its socket, shared by the engine process and `weir run`.
public struct RunningEngine {
    public struct Failure: Error, CustomStringConvertible {
        public var description: String
        public var status: ExitStatus
        /// Whether another engine listens at the socket path.
        public var isSocketTaken = false

        public init(description: String, status: ExitStatus, isSocketTaken: Bool = false) {
            (self.description, self.status, self.isSocketTaken) = (description, status, isSocketTaken)
        }
    }

    public let service: EngineService
    public let server: ControlServer

    /// Takes the state directory, then the socket; jobs are not recovered yet.
    public static func open(_ options: EngineOptions, output: Output) throws(Failure) -> RunningEngine {
        let service: EngineService
        do throws(StateDirectory.Problem) { try StateDirectory.requireOwn(options.stateDirectory) } catch {
            throw Failure(description: error.description, status: .refused)
        }
        do throws(EngineStoreError) {
            service = try EngineService(
                name: options.name, stateDirectory: options.stateDirectory, maxParallelism: options.maxParallelism, keepsLogFile: true,
                say: { output.say($0) })
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

    /// Suspends the jobs, then removes the socket: clients get an answer meanwhile.
    public func close() {
        service.shutDown()
        server.stop()
    }
}
