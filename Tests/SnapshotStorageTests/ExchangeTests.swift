import HostEnvironment
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import SnapshotStorage

// Goal: what stores do badly ends in the right bytes or in one clear failure. Method: S3 over a transport that answers as it is told.

private typealias Script = ScriptedTransport.Script

private func error(_ code: String, _ more: String = "") -> String { "<Error><Code>\(code)</Code>\(more)</Error>" }

@Suite struct ExchangeTests {
    private let file: StorageLocation
    private let content = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) }

    init() throws { file = try StorageLocation("s3a://bkt/jobs/chk-1/_metadata") }

    private func read(_ transport: ScriptedTransport, _ range: StorageRange = .whole, _ pauses: Pauses = Pauses()) throws(StorageFailure) -> [UInt8] {
        try scriptedS3(transport, pauses).bytes(of: file, range, limit: 1 << 20, by: soon())
    }

    // MARK: Ranges

    @Test func `a range is asked for and read`() throws {
        let transport = ScriptedTransport([Script(206, ["Content-Range": "bytes 10-19/1000", "Content-Length": "10"], body: Array(content[10..<20]))])
        #expect(try read(transport, StorageRange(from: 10, count: 10)) == Array(content[10..<20]))
        #expect(transport.requests.map { $0.header("Range") } == ["bytes=10-19"])
        #expect(transport.requests.first?.url == "http://127.0.0.1:9000/bkt/jobs/chk-1/_metadata")
    }

    @Test(
        arguments: [
            // The whole file for a range.
            (10, 10, ["Content-Length": "1000"], 0..<1000),
            // The right bytes with status 200, as rclone sends them.
            (10, 10, ["Content-Length": "10", "Content-Range": "bytes 10-19/1000"], 10..<20),
            // More than was asked for.
            (10, 10, ["Content-Length": "990", "Content-Range": "bytes 10-999/1000"], 10..<1000),
            // No length at all.
            (10, 10, [:], 0..<1000),
            (990, 100, ["Content-Length": "1000"], 0..<1000),
            (2000, 5000, [:], 0..<1000),
        ] as [(Int64, Int64, [String: String], Range<Int>)])
    private func `200 instead of 206 brings the right bytes`(_ start: Int64, _ count: Int64, _ headers: [String: String], _ sent: Range<Int>) throws {
        let transport = ScriptedTransport([Script(200, headers, body: Array(content[sent]))])
        let right = Array(content.dropFirst(Int(start)).prefix(Int(count)))
        #expect(try read(transport, StorageRange(from: start, count: count)) == right)
        #expect(transport.requests.count == 1)
    }

    @Test func `where the length fits both readings the whole file is asked for`() throws {
        let transport = ScriptedTransport { [content] request, _ in
            request.header("Range") == nil ? Script(200, ["Content-Length": "1000"], body: content) : Script(200, ["Content-Length": "1000"], body: content)
        }
        #expect(try read(transport, StorageRange(from: 500, count: 2000)) == Array(content[500...]))
        #expect(transport.requests.map { $0.header("Range") } == ["bytes=500-2499", nil])
    }

    @Test func `other bytes than those that were asked for are refused`() {
        for headers in [["Content-Range": "bytes 0-9/1000"], ["Content-Length": "900"], [:]] {
            let transport = ScriptedTransport([Script(206, headers, body: Array(content[0..<10]))])
            #expect(failure { () throws(StorageFailure) in try read(transport, StorageRange(from: 10, count: 10)) }?.kind == .malformed, "\(headers)")
        }
    }

    @Test func `a body that is cut is resumed behind its last byte`() throws {
        let cut = TransportFailure(.cut, "cut")
        let transport = ScriptedTransport { [content] _, number in
            switch number {
            case 0: Script(200, ["Content-Length": "1000", "ETag": "\"e1\""], body: Array(content[..<300]), failure: cut)
            // An end that is none.
            case 1: Script(206, ["Content-Range": "bytes 300-999/1000", "ETag": "\"e1\""], body: Array(content[300..<301]))
            default: Script(206, ["Content-Range": "bytes 301-999/1000", "ETag": "\"e1\""], body: Array(content[301...]))
            }
        }
        let pauses = Pauses()
        #expect(try read(transport, .whole, pauses) == content)
        #expect(transport.requests.map { $0.header("Range") } == [nil, "bytes=300-", "bytes=301-"])
        #expect(transport.requests.last?.header("If-Match") == "\"e1\"")
        #expect(pauses.notices == [.resumed(path: file.text, at: 300), .resumed(path: file.text, at: 301)])
    }

    @Test func `a body that is cut without progress is given up`() {
        let transport = ScriptedTransport([Script(200, ["Content-Length": "1000"], failure: TransportFailure(.cut, "cut"))])
        #expect(failure { () throws(StorageFailure) in try read(transport) }?.kind == .cut)
        #expect(transport.requests.count == 4)
    }

    @Test func `a file that becomes another one in the middle is not read as one`() {
        let transport = ScriptedTransport([
            Script(200, ["Content-Length": "1000", "ETag": "e1"], body: Array(content[..<300]), failure: TransportFailure(.cut, "cut")),
            Script(206, ["Content-Range": "bytes 300-999/1000", "ETag": "e2"], body: Array(content[300...])),
        ])
        #expect(failure { () throws(StorageFailure) in try read(transport) }?.kind == .changed)
        let refused = ScriptedTransport([Script(412, text: error("PreconditionFailed"))])
        #expect(failure { () throws(StorageFailure) in try read(refused, StorageRange(etag: "e1")) }?.kind == .changed)
    }

    @Test func `behind the end there is nothing`() throws {
        let transport = ScriptedTransport([Script(416, text: error("InvalidRange"))])
        #expect(try read(transport, StorageRange(from: 5000, count: 10)) == [])
        #expect(try read(transport, StorageRange(from: 10, count: 0)) == [])
        #expect(transport.requests.count == 1)
    }

    @Test func `a body without an end is broken off at the limit`() {
        let transport = ScriptedTransport { _, _ in
            var script = Script(200)
            script.pieces = Array(repeating: [UInt8](repeating: 1, count: 4096), count: 1000)
            return script
        }
        let found = failure { () throws(StorageFailure) in try scriptedS3(transport).bytes(of: file, limit: 10_000, by: soon()) }
        #expect(found?.kind == .tooLarge)
    }

    // MARK: Patience

    @Test(arguments: [503, 429]) func `throttling is waited out, and said`(_ status: Int) throws {
        let transport = ScriptedTransport { [content] _, number in
            number < 6 ? Script(status, ["Retry-After": "2"], text: error("SlowDown")) : Script(200, ["Content-Length": "1000"], body: content)
        }
        let pauses = Pauses()
        #expect(try read(transport, .whole, pauses) == content)
        #expect(
            pauses.notices
                == Array(repeating: .throttled(path: file.text, status: status, pause: 2000), count: 6).enumerated().map { index, notice in
                    // Beyond what the store asked for, the step counts.
                    index == 5 ? .throttled(path: file.text, status: status, pause: 3200) : notice
                })
    }

    @Test func `throttling until the deadline is a failure that says so`() {
        let transport = ScriptedTransport([Script(503, ["Retry-After": "3600"], text: error("SlowDown"))])
        let found = failure { () throws(StorageFailure) in try read(transport) }
        #expect(found?.kind == .throttled && found?.status == 503)
        #expect(transport.requests.count == 1, "the pause would go beyond the deadline")
    }

    @Test(arguments: [500, 502, 504]) func `a store that fails is asked four times`(_ status: Int) {
        let transport = ScriptedTransport([Script(status, text: "<html>")])
        let pauses = Pauses()
        let found = failure { () throws(StorageFailure) in try read(transport, .whole, pauses) }
        #expect(found?.kind == .unavailable && found?.status == status)
        #expect(pauses.pauses == [100, 200, 400])
        #expect(transport.requests.count == 4)
    }

    @Test func `a refused connection is not tried again`() {
        let transport = ScriptedTransport([Script(refusal: TransportFailure(.refused, "nobody listens", remedy: "check"))])
        #expect(failure { () throws(StorageFailure) in try read(transport) }?.kind == .unreachable)
        #expect(transport.requests.count == 1)
    }

    @Test func `pauses grow, have jitter and end before the deadline`() {
        let policy = RetryPolicy()
        #expect(policy.pause(.tryAgain, failures: 1, asked: nil, left: 60_000, draw: 0) == 50)
        #expect(policy.pause(.tryAgain, failures: 1, asked: nil, left: 60_000, draw: 1) == 100)
        #expect(policy.pause(.tryAgain, failures: 4, asked: nil, left: 60_000, draw: 1) == nil)
        #expect(policy.pause(.wait, failures: 60, asked: nil, left: 60_000, draw: 1) == 5000)
        #expect(policy.pause(.wait, failures: 1, asked: 700, left: 700, draw: 0) == nil)
    }

    @Test func `at most eight requests are in flight`() throws {
        let flight = Mutex((now: 0, most: 0))
        let transport = ScriptedTransport { _, _ in
            flight.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            pause(milliseconds: 20)
            flight.withLock { $0.now -= 1 }
            return Script(200, ["Content-Length": "1"])
        }
        let storage = scriptedS3(transport), file = file
        let left = Mutex(40)
        for _ in 0..<40 {
            startThread {
                _ = failure { () throws(StorageFailure) in try storage.status(of: file, by: soon()) }
                left.withLock { $0 -= 1 }
            }
        }
        try wait(for: "all answers") { left.withLock { $0 == 0 } }
        #expect(flight.withLock { $0.most } == 8)
        #expect(transport.requests.count == 40)
    }

    @Test func `who waits for a place in flight waits until the deadline only`() {
        let flights = FlightLimit(1)
        #expect(flights.enter(by: soon()))
        #expect(!flights.enter(by: EngineInstant.now() + 20))
        let found = failure { () throws(StorageFailure) in
            try scriptedS3(ScriptedTransport([Script(200)]), flights: flights).status(of: file, by: EngineInstant.now() + 20)
        }
        #expect(found?.kind == .timedOut)
        flights.leave()
        #expect(flights.enter(by: soon()))
    }

    // MARK: Errors

    @Test(
        arguments: [
            (403, "SignatureDoesNotMatch", .unauthenticated, "secret"), (403, "InvalidAccessKeyId", .unauthenticated, "access key"),
            (400, "ExpiredToken", .unauthenticated, "expired"), (404, "NoSuchBucket", .noContainer, "no bucket bkt"),
            (403, "AccessDenied", .denied, "s3:GetObject"), (404, "NoSuchKey", .notFound, "nothing is there"), (404, "", .malformed, "other than the store"),
            (401, "", .unauthenticated, "credentials"), (400, "Weird", .rejected, "Weird"), (307, "TemporaryRedirect", .wrongRegion, "elsewhere"),
        ] as [(Int, String, StorageFailure.Kind, String)])
    private func `errors of S3 are one clear failure each`(_ status: Int, _ code: String, _ kind: StorageFailure.Kind, _ words: String) throws {
        let transport = ScriptedTransport([Script(status, text: code.isEmpty ? "" : error(code))])
        let found = try #require(failure { () throws(StorageFailure) in try read(transport) })
        #expect(found.kind == kind)
        #expect(found.status == status)
        #expect(found.description.contains(words), "\(found)")
        #expect(found.description.hasPrefix("cannot read s3a://bkt/jobs/chk-1/_metadata: "))
        #expect(transport.requests.count == 1)
    }

    @Test func `a wrong region is named, and taken where nobody named one`() throws {
        let answer: @Sendable (WireRequest, Int) -> Script = { [content] request, _ in
            request.signedRegion == "eu-west-1"
                ? Script(200, ["Content-Length": "1000"], body: content) : Script(301, ["x-amz-bucket-region": "eu-west-1"], text: error("PermanentRedirect"))
        }
        let found = failure { () throws(StorageFailure) in try read(ScriptedTransport(answer)) }
        #expect(found?.kind == .wrongRegion && found?.status == 301)
        #expect(found?.description.contains("the bucket bkt is in region eu-west-1, and was asked for in us-east-1") == true, "\(found?.description ?? "")")
        let guessing = ScriptedTransport(answer)
        let storage = scriptedS3(guessing, region: nil, endpoint: nil)
        #expect(try storage.bytes(of: file, limit: 2000, by: soon()) == content)
        #expect(try storage.bytes(of: file, limit: 2000, by: soon()) == content)
        #expect(guessing.requests.map(\.endpoint.host) == ["us-east-1", "eu-west-1", "eu-west-1"].map { "bkt.s3.\($0).amazonaws.com" })
        let malformed = ScriptedTransport([Script(400, text: error("AuthorizationHeaderMalformed", "<Region>ap-south-1</Region>"))])
        #expect(failure { () throws(StorageFailure) in try read(malformed) }?.remedy == "set region = \"ap-south-1\"")
    }

    @Test func `a store that names another region each time is not followed for ever`() {
        let transport = ScriptedTransport { _, number in Script(301, ["x-amz-bucket-region": "r-\(number)"]) }
        #expect(failure { () throws(StorageFailure) in try scriptedS3(transport, region: nil).bytes(of: file, limit: 9, by: soon()) }?.kind == .wrongRegion)
        #expect(transport.requests.count == 2)
    }

    @Test(arguments: [
        ("2015-08-30T12:56:00Z", "20 min behind"), ("2015-08-30T12:16:00Z", "20 min ahead of"), ("2015-09-30T12:36:00Z", "31 days behind"),
    ]) func `clock skew is told in size and direction`(_ theirs: String, _ words: String) {
        let body = error("RequestTimeTooSkewed", "<RequestTime>20150830T123600Z</RequestTime><ServerTime>\(theirs)</ServerTime>")
        let found = failure { () throws(StorageFailure) in try read(ScriptedTransport([Script(403, text: body)])) }
        #expect(found?.kind == .clockSkew)
        #expect(found?.problem == "the clock of this machine is \(words) that of the store")
        #expect(found?.remedy == ClockSkew.remedy)
    }

    @Test func `a HEAD without a reason is asked again as a GET that has one`() throws {
        let transport = ScriptedTransport { request, _ in
            request.method == "HEAD" ? Script(403) : Script(403, text: error("RequestTimeTooSkewed", "<ServerTime>2015-08-30T13:36:00Z</ServerTime>"))
        }
        let found = failure { () throws(StorageFailure) in try scriptedS3(transport).status(of: file, by: soon()) }
        #expect(found?.kind == .clockSkew)
        let allowed = ScriptedTransport { request, _ in
            request.method == "HEAD" ? Script(403) : Script(206, ["Content-Range": "bytes 0-0/77", "ETag": "\"e\""], body: [1])
        }
        #expect(try scriptedS3(allowed).status(of: file, by: soon()) == StorageEntry(file, .file, size: 77, etag: "e"))
    }

    @Test func `a delete marker is told from a file that never was`() {
        let transport = ScriptedTransport([Script(404, ["x-amz-delete-marker": "true"])])
        let found = failure { () throws(StorageFailure) in try scriptedS3(transport).status(of: file, by: soon()) }
        #expect(found?.kind == .notFound)
        #expect(found?.problem.contains("delete marker") == true)
        #expect(transport.requests.count == 1)
    }

    @Test func `what is missing without the right to list may be a directory`() {
        let transport = ScriptedTransport { request, _ in request.method == "HEAD" ? Script(404) : Script(403, text: error("AccessDenied")) }
        let found = failure { () throws(StorageFailure) in try scriptedS3(transport).status(of: file, by: soon()) }
        #expect(found?.kind == .notFound)
        #expect(found?.remedy?.contains("right to list") == true)
    }

    @Test func `an expired token is renewed once`() throws {
        let made = Mutex(0)
        let source = RenewingSource<AWSCredentials> { _ in
            let number = made.withLock { made in
                made += 1
                return made
            }
            let keys = AWSCredentials(accessKey: "K\(number)", secret: Secret("s"), sessionToken: Secret("t\(number)"), expiresAt: nil, source: "x")
            return .success((keys, freshUntil: nil))
        }
        let transport = ScriptedTransport { [content] request, _ in
            request.header("X-Amz-Security-Token") == "t2" ? Script(200, ["Content-Length": "1000"], body: content) : Script(400, text: error("ExpiredToken"))
        }
        #expect(try scriptedS3(transport, keys: source).bytes(of: file, limit: 2000, by: soon()) == content)
        let never = ScriptedTransport([Script(400, text: error("ExpiredToken"))])
        let found = failure { () throws(StorageFailure) in try scriptedS3(never, keys: source).bytes(of: file, limit: 9, by: soon()) }
        #expect(found?.kind == .unauthenticated)
        #expect(never.requests.count == 2)
    }

    @Test func `no failure shows a secret`() {
        for status in [301, 400, 401, 403, 404, 500, 503] {
            let transport = ScriptedTransport([Script(status, text: "<Error><Code>X</Code><Message>m</Message></Error>")])
            let found = failure { () throws(StorageFailure) in try scriptedS3(transport).bytes(of: file, limit: 9, by: EngineInstant.now() + 500) }
            var dumped = ""
            dump(found, to: &dumped)
            #expect(!dumped.contains("sesame"), "\(status)")
            #expect(!dumped.contains("Signature="), "\(status)")
        }
    }

    // MARK: Listings

    @Test func `a listing of 100,000 keys comes page by page`() throws {
        let transport = ScriptedTransport { request, _ in
            let page = request.query.first { $0.name == "continuation-token" }.flatMap { Int($0.value) } ?? 0
            var text = "<ListBucketResult>"
            for index in page * 1000..<(page + 1) * 1000 { text += "<Contents><Key>jobs/k\(index)</Key><Size>\(index)</Size></Contents>" }
            if page < 99 { text += "<IsTruncated>true</IsTruncated><NextContinuationToken>\(page + 1)</NextContinuationToken>" }
            return Script(200, text: text + "</ListBucketResult>")
        }
        var count = 0, bytes: Int64 = 0, largest = 0
        try scriptedS3(transport).forEachPage(below: try StorageLocation("s3://bkt/jobs"), .everything, by: soon(60)) { entries in
            count += entries.count
            largest = max(largest, entries.count)
            bytes += entries.reduce(0) { $0 + ($1.size?.count ?? 0) }
            return true
        }
        #expect(count == 100_000)
        #expect(bytes == 99_999 * 100_000 / 2)
        #expect(largest == 1000)
        #expect(transport.requests.count == 100)
        #expect(transport.requests.allSatisfy { $0.query.contains(QueryItem("prefix", "jobs/")) })
    }

    @Test func `a store that repeats a page is not asked for ever`() {
        let transport = ScriptedTransport([
            Script(200, text: "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>same</NextContinuationToken></ListBucketResult>")
        ])
        let found = failure { () throws(StorageFailure) in
            try scriptedS3(transport).forEachPage(below: file.parent, .children, by: soon()) { _ in true }
        }
        #expect(found?.kind == .malformed)
        #expect(transport.requests.count == 2)
    }

    @Test func `a listing that is an entity bomb, a page or too long is refused`() {
        for body in ["<!DOCTYPE a [<!ENTITY b \"c\">]><ListBucketResult>&b;</ListBucketResult>", "<html></html>", String(repeating: " ", count: 17 << 20)] {
            let found = failure { () throws(StorageFailure) in
                try scriptedS3(ScriptedTransport([Script(200, text: body)])).list(file.parent, .everything, after: nil, by: soon())
            }
            #expect(found?.kind == .malformed || found?.kind == .tooLarge, "\(body.prefix(40))")
        }
    }
}
