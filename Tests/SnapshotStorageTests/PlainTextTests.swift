import StreamModel
import Testing

@testable import SnapshotStorage

// Goal: names, times and encodings mean what the stores mean by them. Method: tables of examples, and round trips.

@Suite struct PlainTextTests {
    @Test(arguments: [
        ("s3a://bucket/a b/chk-1", "s3a", "bucket", "a b/chk-1"), ("S3://b", "s3", "b", ""), ("s3://b/", "s3", "b", ""),
        ("s3://b/100%/k?x#y+z", "s3", "b", "100%/k?x#y+z"), ("s3://b//double", "s3", "b", "/double"), ("/var/x", "file", "", "var/x"),
        ("file:/a", "file", "", "a"), ("file:///a", "file", "", "a"), ("file://localhost/a", "file", "", "a"),
        ("abfss://c@acc.dfs.core.windows.net/p", "abfss", "c@acc.dfs.core.windows.net", "p"), ("hdfs://nn:8020/flink", "hdfs", "nn:8020", "flink"),
        ("hdfs://[fd00::1]:8020/flink", "hdfs", "[fd00::1]:8020", "flink"), ("gs://b/ü/日本", "gs", "b", "ü/日本"),
    ]) func `a location is read as Flink writes it`(_ text: String, _ scheme: String, _ authority: String, _ key: String) throws {
        let location = try StorageLocation(text)
        #expect((location.scheme, location.authority, location.key) == (scheme, authority, key))
    }

    @Test(arguments: ["", "relative", "s3:", "s3://", "s3:///k", "file://host/a", "s3://a b/k", "s3:/b/k", "://x", "1a://b/c", "s3://b/\0"])
    func `what is no location is refused with a remedy`(_ text: String) {
        let found = failure { () throws(StorageFailure) in try StorageLocation(text) }
        #expect(found?.kind == .unsupported)
        #expect(found?.remedy?.isEmpty == false)
    }

    @Test func `all names of S3 are one`() throws {
        for scheme in ["s3", "s3a", "s3n", "s3p"] { #expect(try StorageLocation("\(scheme)://b/k").canonical == "s3://b/k") }
        #expect(try StorageLocation("gs://b/k").canonical == "gs://b/k")
    }

    @Test func `a location has a parent, a name and children`() throws {
        let location = try StorageLocation("s3://b/jobs/chk-1")
        #expect(location.name == "chk-1")
        #expect(location.parent.text == "s3://b/jobs")
        #expect(location.parent.parent.text == "s3://b")
        #expect(location.appending("_metadata").text == "s3://b/jobs/chk-1/_metadata")
        #expect(try StorageLocation("s3://b").appending("x").text == "s3://b/x")
    }

    @Test func `entropy is injected into data files and left out of metadata`() throws {
        let marker = EntropyMarker.standard
        let directory = try StorageLocation("s3://b/_entropy_/checkpoints/job")
        #expect(marker.removed(from: directory).text == "s3://b/checkpoints/job")
        #expect(marker.dataRoot(of: directory)?.text == "s3://b")
        #expect(marker.covers(directory, try StorageLocation("s3://b/a1B2/checkpoints/job/shared/x")))
        #expect(marker.covers(directory, try StorageLocation("s3://b/a1B2/checkpoints/job")))
        for other in ["s3://b/a1B/checkpoints/job/x", "s3://b/a1B2/checkpoints/job2/x", "s3://c/a1B2/checkpoints/job/x", "s3://b/a-B2/checkpoints/job/x"] {
            #expect(!marker.covers(directory, try StorageLocation(other)), "\(other)")
        }
        let plain = try StorageLocation("s3://b/checkpoints")
        #expect(marker.removed(from: plain) == plain)
        #expect(marker.dataRoot(of: plain) == nil)
        #expect(marker.removed(from: try StorageLocation("s3://b/pre__entropy_/x")).text == "s3://b/pre_/x")
    }

    @Test func `times are read and written`() {
        #expect(CivilTime(WallTime(milliseconds: 0)).http == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(CivilTime(WallTime(milliseconds: 1_440_938_160_999)).basic == "20150830T123600Z")
        #expect(CivilTime(WallTime(milliseconds: 951_782_400_000)).http == "Tue, 29 Feb 2000 00:00:00 GMT")
        #expect(WallTime(iso: "2026-11-29T06:32:15.004Z")?.milliseconds == 1_795_933_935_004)
        #expect(WallTime(iso: "2026-11-29T06:32:15Z") == WallTime(http: "Sun, 29 Nov 2026 06:32:15 GMT"))
        #expect(WallTime(iso: "20150830T123600Z")?.milliseconds == 1_440_938_160_000)
        for bad in ["", "2026", "2026-13-01T00:00:00Z", "2026-11-29 06:32:15", "2026-11-29T06:32:15.Z", "2026-11-29T06:32:15+02:00"] {
            #expect(WallTime(iso: bad) == nil, "\(bad)")
        }
        for bad in ["", "Sun, 29 Nov 2026", "Sun, 29 Foo 2026 06:32:15 GMT", "Sun, 29 Nov 2026 26:32:15 GMT"] { #expect(WallTime(http: bad) == nil, "\(bad)") }
        for day in stride(from: Int64(0), through: 40_000, by: 37) {
            let time = WallTime(milliseconds: day * 86_400_000 + 3_723_000)
            #expect(WallTime(http: CivilTime(time).http) == time)
            #expect(WallTime(iso: CivilTime(time).basic) == time)
        }
    }

    @Test func `encodings go there and back`() {
        let text = "a b/100%+ü日\u{1}~"
        #expect(PercentEncoding.path(text) == "a%20b/100%25%2B%C3%BC%E6%97%A5%01~")
        #expect(PercentEncoding.query("a/b") == "a%2Fb")
        #expect(PercentEncoding.decoded(PercentEncoding.query(text), plusIsSpace: false) == text)
        #expect(PercentEncoding.decoded("a+b%2B", plusIsSpace: true) == "a b+")
        for bad in ["%", "%2", "%zz", "%ff"] { #expect(PercentEncoding.decoded(bad, plusIsSpace: false) == nil, "\(bad)") }
    }

    @Test(arguments: [
        ("https://h", "https://h"), ("http://h:9000/p/", "http://h:9000/p"), ("HTTPS://H:443", "https://h"), ("http://[::1]:9000", "http://[::1]:9000"),
    ]) func `an endpoint is read`(_ text: String, _ written: String) throws {
        #expect(StorageEndpoint(text)?.description == written)
    }

    @Test(arguments: [
        "", "h", "ftp://h", "https://", "https://u:p@h", "https://h?x", "https://h#f", "http://h:0", "http://h:99999", "http://[::1", "https://ü",
    ])
    func `what is no endpoint is refused`(_ text: String) { #expect(StorageEndpoint(text) == nil) }

    @Test func `buckets go into the host at AWS and into the path elsewhere`() throws {
        let aws = S3Settings(endpoint: nil, region: "eu-west-1", regionIsGuess: false, pathStyle: nil)
        #expect(aws.endpoint(of: "bkt", region: "eu-west-1").description == "https://bkt.s3.eu-west-1.amazonaws.com")
        #expect(aws.endpoint(of: "a.b", region: "eu-west-1").description == "https://s3.eu-west-1.amazonaws.com/a.b", "certificates cover one label")
        #expect(aws.endpoint(of: "bkt", region: "cn-north-1").description == "https://bkt.s3.cn-north-1.amazonaws.com.cn")
        var own = S3Settings(endpoint: StorageEndpoint("https://minio:9000"), region: "us-east-1", regionIsGuess: true, pathStyle: nil)
        #expect(own.endpoint(of: "bkt", region: "us-east-1").description == "https://minio:9000/bkt")
        own.pathStyle = false
        #expect(own.endpoint(of: "bkt", region: "us-east-1").description == "https://bkt.minio:9000")
    }

    @Test func `secrets show nowhere`() {
        let secret = Secret("sesame")
        var dumped = ""
        dump(AWSCredentials(accessKey: "AKID", secret: secret, sessionToken: Secret("token-sesame"), expiresAt: nil, source: "x"), to: &dumped)
        for text in [dumped, "\(secret)", String(reflecting: secret), String(describing: [secret])] { #expect(!text.contains("sesame"), "\(text)") }
        #expect(secret.reveal() == "sesame")
    }

    @Test func `the rule with the longest prefix counts, on whole components`() throws {
        let settings = try StorageSettings(["s3://b", "s3a://b/jobs", "s3://b/jobs/eu", "gs://b"].map { StorageRule(try StorageLocation($0)) })
        func rule(_ text: String) throws -> String? { settings.rule(for: try StorageLocation(text))?.prefix.text }
        #expect(try rule("s3p://b/jobs/eu/chk-1") == "s3://b/jobs/eu")
        #expect(try rule("s3://b/jobs/europe") == "s3a://b/jobs")
        #expect(try rule("s3://b/jobs") == "s3a://b/jobs")
        #expect(try rule("s3://b/jobsx") == "s3://b")
        #expect(try rule("s3://bb/jobs") == nil)
    }
}
