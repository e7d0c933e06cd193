internal import ControlProtocol
internal import Glibc
internal import NIOCore
internal import StreamModel

/// A client of a server. Lives on the event loop; owns the frame decoder, the count of requests in flight, the one pending report, and the
/// deadlines.
///
/// Requests are served when the hub grants this connection a turn. Reading stops while requests wait for a turn, too many are in flight, or the
/// client does not take its replies, so a client can fill only its own socket buffer.
final class ControlConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let hub: ConnectionHub
    private let level: AccessLevel
    private let credentials: PeerCredentials
    private var context: ChannelHandlerContext?
    private var decoder: FrameDecoder
    /// Number set once the hub has registered the connection.
    private var number: UInt64?
    /// Client name from `hello`; nil before.
    private var client: String?
    private var requestsInFlight = 0
    /// Whether a complete frame waits for its turn.
    private var isAsking = false
    private var heardAt = EngineInstant.monotonic()
    private var isClosing = false
    private var hasInputEnded = false
    private var isReadHeld = false

    private var isSubscribed = false
    private var reportInterval: TimeAmount = .zero
    private var lastReport: UInt64 = 0
    private var pendingReport: EncodedReport?
    private var isReportInFlight = false
    private var nextReportAt = NIODeadline.now()
    private var reportTimer: Scheduled<Void>?

    private var writesInFlight = 0
    private var stallTimer: Scheduled<Void>?
    private var quietTimer: Scheduled<Void>?
    private var partialFrameSince: NIODeadline?

    init(hub: ConnectionHub, level: AccessLevel, credentials: PeerCredentials) {
        self.hub = hub
        self.level = level
        self.credentials = credentials
        decoder = FrameDecoder(maximumLength: hub.limits.frame.maximumLength)
    }

    /// The connection as seen by the seat plan.
    var seat: Seat {
        Seat(
            number: number ?? 0, level: level, userID: credentials.userID, processID: credentials.processID, hasGreeted: client != nil,
            isBusy: isSubscribed || requestsInFlight > 0 || isAsking, heardAt: heardAt)
    }

    // MARK: Life

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        // The operator socket is for the engine's own user; root may do anything anyway.
        guard level == .viewer || credentials.userID == geteuid() || credentials.userID == 0 else {
            closeAfter(.refused(nil, "this socket serves uid \(geteuid()), you are uid \(credentials.userID)"))
            return
        }
        number = hub.register(self)
        guard number != nil else {
            closeAfter(.busy("the engine serves as many clients as it may (\(hub.limits.clients)), and all are at work: close one and try again"))
            return
        }
        armQuietTimer()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        takeWhatIsLeft()
        leaveHub()
        isClosing = true
        pendingReport = nil
        for timer in [reportTimer, stallTimer, quietTimer] { timer?.cancel() }
        self.context = nil
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event {
            hasInputEnded = true
            closeIfDone()
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A broken connection has no one to notify.
        context.close(promise: nil)
    }

    /// Closes the connection because another client needs the seat.
    func dismiss() {
        leaveHub()
        closeAfter(.busy("another client needed this connection's place: connect again"))
    }

    private func leaveHub() {
        if let number { hub.unregister(number, wasSubscribed: isSubscribed) }
        number = nil
    }

    /// Closes at once because the server stops.
    func closeNow() { context?.close(promise: nil) }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        if isOverloaded || isAsking { isReadHeld = true } else { context.read() }
    }

    private var isOverloaded: Bool {
        requestsInFlight >= hub.limits.requestsInFlight || !(context?.channel.isWritable ?? true)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        resume()
        context.fireChannelWritabilityChanged()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        heardAt = .monotonic()
        hub.charging(number) { decoder.feed(unwrapInboundIn(data).readableBytesView) }
        resume()
    }

    /// Requests a turn if there is a frame, and continues reading otherwise.
    private func resume() {
        guard !isClosing else { return }
        if !isOverloaded, !isAsking {
            if decoder.hasFrame() {
                askForTurn()
            } else if isReadHeld {
                isReadHeld = false
                context?.read()
            }
        }
        noteUnfinishedFrame()
        armQuietTimer()
        closeIfDone()
    }

    private func askForTurn() {
        guard let number else { return }
        isAsking = true
        hub.ask(number)
    }

    /// Takes one frame in this connection's turn.
    func serveNext() {
        isAsking = false
        guard !isClosing else { return }
        if !isOverloaded {
            do throws(ControlFailure) {
                if let frame = try decoder.nextFrame() { take(RequestDecoder.decode(frame, maximumDepth: hub.limits.frame.maximumDepth)) }
            } catch {
                closeAfter(error)
            }
        }
        partialFrameSince = nil
        resume()
    }

    /// Carries out complete requests sent by an operator before the link broke, although nobody receives the answer: their turn would have come.
    /// Queries are dropped.
    private func takeWhatIsLeft() {
        while client != nil, level == .operator, !isClosing, requestsInFlight < hub.limits.requestsInFlight {
            // ControlFailure: the frame is too long, which has ended the connection.
            guard let frame = try? decoder.nextFrame() else { return }
            let decoded = RequestDecoder.decode(frame, maximumDepth: hub.limits.frame.maximumDepth)
            if case .success(let request) = decoded.request, request.verb.level == .operator { take(decoded) }
        }
    }

    /// Runs the deadline for the rest of a frame only while nothing else prevents reading it.
    private func noteUnfinishedFrame() {
        if decoder.pendingCount == 0 || isAsking || isOverloaded {
            partialFrameSince = nil
        } else if partialFrameSince == nil {
            partialFrameSince = .now()
        }
    }

    private func take(_ decoded: DecodedRequest) {
        guard let id = decoded.id, case .success(let request) = decoded.request else {
            if case .failure(let failure) = decoded.request { send(.failure(failure), id: decoded.id) }
            return
        }
        guard client != nil || request.verb == .hello else { return send(.failure(.helloExpected(request.verb)), id: id) }
        guard request.verb.level <= level else { return send(.failure(.forbidden(request.verb)), id: id) }
        switch request {
        case .hello(let versions, let client): greet(versions: versions, client: client, id: id)
        case .subscribe(let interval): subscribe(interval: interval, id: id)
        default: pass(request, id: id)
        }
    }

    private func greet(versions: [Int], client: String, id: RequestID) {
        guard let version = ControlVersion.negotiate(versions) else { return send(.failure(.version(offered: versions)), id: id) }
        self.client = client
        let hello = HelloReply(
            version: version, engine: hub.handler.currentReport().engine, level: level, maximumFrameLength: hub.limits.frame.maximumLength)
        send(.success(.hello(hello)), id: id)
    }

    private func pass(_ request: ControlRequest, id: RequestID) {
        guard let context, let number, let client else { return }
        let peer = ControlPeer(
            connection: number, level: level, userID: credentials.userID, groupID: credentials.groupID, processID: credentials.processID,
            client: client)
        requestsInFlight += 1
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        hub.handler.handle(request, peer: peer) { [eventLoop = hub.eventLoop] result in
            eventLoop.execute { bound.value.finish(result, id: id) }
        }
    }

    private func finish(_ result: Result<ControlReply, ControlFailure>, id: RequestID) {
        requestsInFlight -= 1
        heardAt = .monotonic()
        guard !isClosing else { return }
        hub.charging(number) { send(result, id: id) }
        resume()
    }

    // MARK: Writing

    private func send(_ result: Result<ControlReply, ControlFailure>, id: RequestID?) {
        let frame: [UInt8]
        do throws(ControlCodecError) { frame = try ControlCodec.encode(result, id: id) } catch {
            closeAfter(.internal("the reply cannot be encoded: \(error)"))
            return
        }
        write(frame)
    }

    private func write(_ frame: [UInt8], whenWritten: @escaping () -> Void = {}) {
        guard let context else { return }
        writesInFlight += 1
        if stallTimer == nil { armStallTimer() }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.writesInFlight -= 1
            self.stallTimer?.cancel()
            self.stallTimer = nil
            if self.writesInFlight > 0 { self.armStallTimer() }
            whenWritten()
            self.closeIfDone()
        }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: frame)), promise: written)
    }

    /// Sends the reason to the client, then closes.
    private func closeAfter(_ failure: ControlFailure) {
        guard !isClosing, let context else { return }
        isClosing = true
        pendingReport = nil
        // No ControlCodecError occurs: a failure is plain strings.
        let frame = (try? ControlCodec.encode(.failure(failure), id: nil)) ?? []
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: frame)), promise: written)
        armStallTimer()
    }

    /// Closes after the replies for a client that sent its last request and closed its side (as `socat` does).
    private func closeIfDone() {
        guard hasInputEnded, !isClosing, !isSubscribed, requestsInFlight == 0, writesInFlight == 0, !decoder.hasFrame() else { return }
        isClosing = true
        context?.close(promise: nil)
    }

    // MARK: Reports

    private func subscribe(interval: Milliseconds?, id: RequestID) {
        reportInterval = interval.map { .milliseconds($0.count) } ?? .zero
        let sequence = hub.sequence
        if !isSubscribed {
            isSubscribed = true
            hub.countSubscriber()
        }
        send(.success(.subscribed(SubscribedReply(sequence: sequence))), id: id)
        lastReport = sequence == 0 ? 0 : sequence - 1
        // ControlCodecError: this report cannot be sent; the next one may be.
        guard let bytes = try? ControlCodec.encode(report: hub.handler.currentReport()) else { return }
        offer(EncodedReport(sequence: sequence, bytes: bytes))
    }

    /// Replaces a report that is still pending. Does nothing for a client without a subscription.
    func offer(_ report: EncodedReport) {
        guard isSubscribed, !isClosing else { return }
        pendingReport = report
        sendPendingReport()
    }

    private func sendPendingReport() {
        guard let report = pendingReport, !isReportInFlight, !isClosing, let context else { return }
        let now = NIODeadline.now()
        guard now >= nextReportAt else {
            if reportTimer == nil {
                reportTimer = context.eventLoop.assumeIsolated().scheduleTask(deadline: nextReportAt) {
                    self.reportTimer = nil
                    self.sendPendingReport()
                }
            }
            return
        }
        pendingReport = nil
        isReportInFlight = true
        nextReportAt = now + reportInterval
        let missed = report.sequence > lastReport + 1 ? report.sequence - lastReport - 1 : 0
        lastReport = report.sequence
        write(ControlCodec.frame(report: report.bytes, sequence: report.sequence, missed: missed)) {
            self.isReportInFlight = false
            self.sendPendingReport()
        }
    }

    // MARK: Deadlines

    /// Arms the timer that disconnects a client which takes none of its pending bytes.
    private func armStallTimer() {
        guard let context else { return }
        stallTimer?.cancel()
        stallTimer = context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(hub.limits.stallTimeout.count)) {
            self.isClosing = true
            self.context?.close(promise: nil)
        }
    }

    /// Arms one deadline at a time: for the whole `hello`, for the rest of a frame, or for any request.
    private func armQuietTimer() {
        quietTimer?.cancel()
        quietTimer = nil
        guard let context, !isClosing, let (wait, problem) = quietLimit() else { return }
        quietTimer = context.eventLoop.assumeIsolated().scheduleTask(in: wait) { self.closeAfter(.timedOut(problem)) }
    }

    private func quietLimit() -> (TimeAmount, String)? {
        let limits = hub.limits
        // A client that waits for a turn is not silent.
        guard !isAsking else { return nil }
        if client == nil { return remaining(of: limits.helloTimeout, since: connectedAt, "no hello within \(limits.helloTimeout.count) ms") }
        if let partialFrameSince {
            return remaining(of: limits.frameTimeout, since: partialFrameSince, "a frame did not end within \(limits.frameTimeout.count) ms")
        }
        guard !isSubscribed, requestsInFlight == 0 else { return nil }
        return (.milliseconds(limits.idleTimeout.count), "no request within \(limits.idleTimeout.count) ms")
    }

    private let connectedAt = NIODeadline.now()

    private func remaining(of limit: Milliseconds, since start: NIODeadline, _ problem: String) -> (TimeAmount, String) {
        (max(.zero, start + .milliseconds(limit.count) - .now()), problem)
    }
}
