// What a cluster is asked, counted between it and Weir.

import StreamModel
import TestKit

/// A proxy before a cluster, and its log; it ends with this object. `logging_proxy.py` is the process.
final class LoggingProxy {
    let url: String
    private let log: String
    private var process: Supervisor

    init(_ cluster: FlinkCluster) throws {
        log = cluster.folder + "/requests.log"
        process = try Supervisor([FlinkPackages.program("logging_proxy.py"), cluster.url, log], errors: log + ".errors")
        let greeting = try process.line(within: 20)
        guard greeting.hasPrefix("ready ") else { throw Broken("the proxy did not come up: \(greeting)") }
        url = String(greeting.dropFirst("ready ".count))
    }

    deinit { process.end() }

    /// Makes the way to the cluster longer.
    func delay(_ seconds: Double) throws {
        try process.write("delay \(seconds)\n")
        let answer = try process.line(within: 10)
        guard answer == "done" else { throw Broken("the proxy: \(answer)") }
    }

    struct Request {
        var at: WallTime
        /// With itself.
        var inFlight: Int
        /// 0 = no answer.
        var status: Int
        var path: String
    }

    /// The requests since a moment, the oldest first.
    func requests(since start: WallTime) throws -> [Request] {
        try String(decoding: readFile(log), as: UTF8.self).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ", maxSplits: 4)
            guard words.count == 5, let at = Int64(words[0]), let inFlight = Int(words[1]), let status = Int(words[2]) else {
                throw Broken("the proxy's log says \(line)")
            }
            return at < start.milliseconds ? nil : Request(at: WallTime(milliseconds: at), inFlight: inFlight, status: status, path: String(words[4]))
        }.sorted { $0.at < $1.at }
    }
}

extension [LoggingProxy.Request] {
    /// The most requests in any ten seconds, a second.
    var busiestRate: Double {
        var most = 0, first = 0
        for last in indices {
            while self[last].at - self[first].at >= .seconds(10) { first += 1 }
            most = Swift.max(most, last - first + 1)
        }
        return Double(most) / 10
    }
}
