import FlinkFake
import HostEnvironment
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import SnapshotStorage

// Goal: credentials are found where AWS's own tools find them, in their order, renewed in time, and shown nowhere. Method: the pure decision over
// made-up environments; programs, STS, the container's and the instance's endpoints over a transport that answers as it is told.

private func environment(_ variables: [String: String] = [:], _ files: [String: String] = [:]) -> CredentialEnvironment {
    let variables = ["HOME": "/h"].merging(variables) { $1 }
    return CredentialEnvironment(
        variable: { variables[$0] }, file: { path in files[path].map { .text($0) } ?? (path == "/h/locked" ? .unreadable("is closed") : .missing) })
}

private func plan(_ environment: CredentialEnvironment, profile: String? = nil) -> Result<AWSCredentialPlan, CredentialProblem> {
    do throws(CredentialProblem) { return .success(try AWSCredentialChain(environment: environment, profile: profile).plan()) } catch { return .failure(error) }
}

private func keys(_ key: String, _ secret: String, token: String? = nil, _ source: String) -> AWSCredentialPlan {
    .ready(AWSCredentials(accessKey: key, secret: Secret(secret), sessionToken: token.map { Secret($0) }, expiresAt: nil, source: source))
}

private func problem<Value>(_ body: () throws(CredentialProblem) -> Value) -> CredentialProblem? {
    do throws(CredentialProblem) {
        _ = try body()
        return nil
    } catch {
        return error
    }
}

@Suite struct CredentialTests {
    private static let config = """
        # comment
        [default]
        region = eu-central-1
        [profile lab]
        region=eu-west-3
        endpoint_url = http://minio:9000
        ca_bundle = ~/ca.pem
        s3 =
          addressing_style = path
        [profile process]
        credential_process = "/opt/my tool/get" --user ana
        [profile web]
        role_arn = arn:aws:iam::1:role/web
        web_identity_token_file = ~/token
        [profile role]
        role_arn = arn:aws:iam::1:role/r
        source_profile = lab
        external_id = x1
        [profile loop]
        role_arn = arn:aws:iam::1:role/r
        source_profile = loop2
        [profile loop2]
        role_arn = arn:aws:iam::1:role/r
        source_profile = loop
        [profile own]
        role_arn = arn:aws:iam::1:role/r
        source_profile = own
        aws_access_key_id = OWN
        aws_secret_access_key = S
        [profile sso]
        sso_session = x
        [profile half]
        aws_access_key_id = K
        """
    private static let credentials = """
        [default]
        aws_access_key_id = DEF
        aws_secret_access_key = defsecret ; comment
        [lab]
        aws_access_key_id=LAB
        aws_secret_access_key=lab/secret+=
        aws_session_token=labtoken
        """
    private static let files = ["/h/.aws/config": config, "/h/.aws/credentials": credentials]

    @Test func `the environment goes first`() {
        let found = plan(environment(["AWS_ACCESS_KEY_ID": "K", "AWS_SECRET_ACCESS_KEY": "S", "AWS_SESSION_TOKEN": "T"], Self.files))
        #expect(found == .success(keys("K", "S", token: "T", "the environment")))
    }

    @Test func `half of the environment is an error`() {
        #expect(
            problem { () throws(CredentialProblem) in try plan(environment(["AWS_ACCESS_KEY_ID": "K"])).get() }?.problem.contains("AWS_SECRET_ACCESS_KEY")
                == true)
    }

    @Test func `a profile that was asked for goes before the environment`() {
        let variables = ["AWS_ACCESS_KEY_ID": "K", "AWS_SECRET_ACCESS_KEY": "S"]
        #expect(
            plan(environment(variables, Self.files), profile: "lab")
                == .success(keys("LAB", "lab/secret+=", token: "labtoken", "profile lab in the AWS credentials file")))
    }

    @Test func `profiles by variable and by default`() {
        #expect(plan(environment(["AWS_PROFILE": "lab"], Self.files)) == plan(environment([:], Self.files), profile: "lab"))
        #expect(plan(environment([:], Self.files)) == .success(keys("DEF", "defsecret", "profile default in the AWS credentials file")))
        let moved = ["AWS_SHARED_CREDENTIALS_FILE": "/x/c", "AWS_CONFIG_FILE": "/x/f"]
        #expect(plan(environment(moved, ["/x/c": Self.credentials])) == plan(environment([:], Self.files)))
    }

    @Test func `a program, a web identity, a role`() {
        #expect(
            plan(environment([:], Self.files), profile: "process")
                == .success(.process(["/opt/my tool/get", "--user", "ana"], source: "credential_process of profile process")))
        let web = "arn:aws:iam::1:role/web"
        #expect(
            plan(environment([:], Self.files), profile: "web")
                == .success(.webIdentity(tokenFile: "/h/token", role: web, session: "weir", source: "role \(web) of profile web")))
        #expect(
            plan(environment(["AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": web, "AWS_ROLE_SESSION_NAME": "s"], Self.files))
                == .success(.webIdentity(tokenFile: "/t", role: web, session: "s", source: "web identity for \(web)")))
        let role = "arn:aws:iam::1:role/r"
        #expect(
            plan(environment([:], Self.files), profile: "role")
                == .success(
                    .role(
                        role, session: "weir", externalID: "x1",
                        with: keys("LAB", "lab/secret+=", token: "labtoken", "profile lab in the AWS credentials file"),
                        source: "role \(role) of profile role")))
        #expect(
            plan(environment([:], Self.files), profile: "own")
                == .success(
                    .role(
                        role, session: "weir", externalID: nil, with: keys("OWN", "S", "profile own in the AWS config file"),
                        source: "role \(role) of profile own")))
    }

    @Test func `the container, then the instance`() {
        let relative = environment(["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"])
        #expect(
            plan(relative) == .success(.container(url: "http://169.254.170.2/v2/x", tokenFile: nil, token: nil, source: "the container's endpoint")))
        let full = environment(["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/t"])
        #expect(plan(full) == .success(.container(url: "http://169.254.170.23/v1", tokenFile: "/t", token: nil, source: "the container's endpoint")))
        #expect(plan(environment()) == .success(.instance(endpoint: "http://169.254.169.254", source: "the instance's metadata")))
        #expect(
            problem { () throws(CredentialProblem) in try plan(environment(["AWS_EC2_METADATA_DISABLED": "true"])).get() }?.remedy == AWSCredentialChain.remedy)
    }

    @Test(arguments: [("none", "no profile none"), ("loop", "in a circle"), ("sso", "SSO"), ("half", "no secret")])
    func `bad profiles are named`(_ profile: String, _ words: String) {
        let found = problem { () throws(CredentialProblem) in try plan(environment([:], Self.files), profile: profile).get() }
        #expect(found?.problem.contains(words) == true, "\(found?.problem ?? "")")
        #expect(found?.remedy.isEmpty == false)
    }

    @Test func `region, endpoint, CA and path style come from the profile, too`() throws {
        let lab = AWSCredentialChain(environment: environment([:], Self.files), profile: "lab")
        #expect(try lab.region() == "eu-west-3")
        #expect(try lab.endpoint() == "http://minio:9000")
        #expect(try lab.authorityFile() == "/h/ca.pem")
        #expect(try lab.usesPathStyle() == true)
        let variables = ["AWS_REGION": "us-east-2", "AWS_ENDPOINT_URL_S3": "http://s3", "AWS_ENDPOINT_URL": "http://all", "AWS_CA_BUNDLE": "/ca"]
        let chain = AWSCredentialChain(environment: environment(variables, Self.files), profile: nil)
        #expect(try chain.region() == "us-east-2")
        #expect(try chain.endpoint() == "http://s3")
        #expect(try chain.authorityFile() == "/ca")
        #expect(try AWSCredentialChain(environment: environment([:], Self.files), profile: nil).region() == "eu-central-1")
    }

    @Test(arguments: [
        ("a b", ["a", "b"]), ("a 'b c' \"d \\\" e\"", ["a", "b c", "d \" e"]), ("  x  ", ["x"]), ("a '' b", ["a", "", "b"]), ("a\\ b", ["a b"]),
    ]) func `command lines are split without a shell`(_ text: String, _ words: [String]) throws { #expect(try CommandWords.split(text) == words) }

    // MARK: Fetching

    private func fetch(_ transport: ScriptedTransport, _ environment: CredentialEnvironment = environment()) -> AWSCredentialFetch {
        AWSCredentialFetch(environment: environment, transport: transport, region: "eu-west-1", now: { WallTime(milliseconds: 1_440_938_160_000) })
    }

    @Test func `a program's credentials are read, and its failures say no secret`() throws {
        let sandbox = Sandbox()
        let script = try sandbox.write(
            "get", "echo '{\"Version\":1,\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"S\",\"SessionToken\":\"T\",\"Expiration\":\"2026-01-01T00:00:00Z\"}'")
        let found = try fetch(ScriptedTransport([])).credentials(.process(["/bin/sh", script], source: "p"), by: soon())
        #expect(found.accessKey == "K" && found.secret == Secret("S") && found.sessionToken == Secret("T"))
        #expect(found.expiresAt == WallTime(iso: "2026-01-01T00:00:00Z"))
        for (line, words) in [
            ("exit 3", "failed with 3"), ("echo sesame", "gave no credentials"), ("kill -9 $$", "killed by signal 9"), ("exec sleep 60", "in time"),
            ("exec yes", "wrote more than"),
        ] {
            let bad = try sandbox.write("bad", line)
            let plan = AWSCredentialPlan.process(["/bin/sh", bad], source: "the program")
            let problem = problem { () throws(CredentialProblem) in
                try fetch(ScriptedTransport([])).credentials(plan, by: EngineInstant.now() + (line.contains("sleep") ? 300 : 20_000))
            }
            #expect(problem?.problem.contains(words) == true, "\(problem?.problem ?? "")")
            #expect(problem?.problem.contains("sesame") == false)
        }
        let missing = problem { () throws(CredentialProblem) in try fetch(ScriptedTransport([])).credentials(.process(["/no/such"], source: "p"), by: soon()) }
        #expect(missing?.problem.contains("was not started") == true)
    }

    private static let sts = """
        <AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA</AccessKeyId>
        <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2015-08-30T13:36:00Z</Expiration></Credentials>
        </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>
        """

    @Test func `STS is asked with the token of the file`() throws {
        let transport = ScriptedTransport([.init(200, text: Self.sts)])
        let plan = AWSCredentialPlan.webIdentity(tokenFile: "/t", role: "arn:r", session: "weir", source: "web")
        let found = try fetch(transport, environment([:], ["/t": "eyJ0\n"])).credentials(plan, by: soon())
        #expect(found.accessKey == "ASIA" && found.sessionToken == Secret("t") && found.expiresAt == WallTime(iso: "2015-08-30T13:36:00Z"))
        let request = try #require(transport.requests.first)
        #expect(request.url == "https://sts.eu-west-1.amazonaws.com/")
        let body = String(decoding: request.body, as: UTF8.self)
        #expect(body == "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Ar&RoleSessionName=weir&WebIdentityToken=eyJ0")
        #expect(request.header("Authorization") == nil)
        let refused = ScriptedTransport([.init(403, text: "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")])
        let problem = problem { () throws(CredentialProblem) in try fetch(refused, environment([:], ["/t": "eyJ0"])).credentials(plan, by: soon()) }
        #expect(problem?.problem == "STS refused (403, AccessDenied)")
    }

    @Test func `a role is asked for with signed words`() throws {
        let transport = ScriptedTransport([.init(200, text: Self.sts)])
        let plan = AWSCredentialPlan.role("arn:r", session: "weir", externalID: "x", with: keys("K", "S", "e"), source: "role")
        #expect(try fetch(transport).credentials(plan, by: soon()).accessKey == "ASIA")
        let request = try #require(transport.requests.first)
        #expect(request.header("Authorization")?.contains("Credential=K/20150830/eu-west-1/sts/aws4_request") == true)
        #expect(String(decoding: request.body, as: UTF8.self).contains("ExternalId=x"))
    }

    @Test func `the container's endpoint gets its token, and only where it is near`() throws {
        let json = "{\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"S\",\"Token\":\"T\",\"Expiration\":\"2026-01-01T00:00:00Z\"}"
        let transport = ScriptedTransport([.init(200, text: json)])
        let near = AWSCredentialPlan.container(url: "http://169.254.170.23/v1/c?x=1", tokenFile: "/t", token: nil, source: "c")
        #expect(try fetch(transport, environment([:], ["/t": "tok"])).credentials(near, by: soon()).accessKey == "K")
        #expect(transport.requests.first?.header("Authorization") == "tok")
        #expect(transport.requests.first?.url == "http://169.254.170.23/v1/c?x=1")
        let far = AWSCredentialPlan.container(url: "http://evil.example/v1", tokenFile: nil, token: Secret("tok"), source: "c")
        #expect(problem { () throws(CredentialProblem) in try fetch(transport).credentials(far, by: soon()) } != nil)
        #expect(transport.requests.count == 1, "nothing was sent there")
    }

    @Test func `the instance is asked by version 2`() throws {
        let transport = ScriptedTransport { request, _ in
            guard request.method == "GET" else { return .init(200, text: "imds-token") }
            guard request.header("X-aws-ec2-metadata-token") == "imds-token" else { return .init(401) }
            return request.path.hasSuffix("/")
                ? .init(200, text: "weir-role\n") : .init(200, text: "{\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"S\",\"Token\":\"T\"}")
        }
        let plan = AWSCredentialPlan.instance(endpoint: "http://169.254.169.254", source: "the instance's metadata")
        #expect(try fetch(transport).credentials(plan, by: soon()).accessKey == "K")
        #expect(transport.requests.map(\.method) == ["PUT", "GET", "GET"])
        #expect(transport.requests.last?.path == "/latest/meta-data/iam/security-credentials/weir-role")
        let nobody = ScriptedTransport([.init(refusal: TransportFailure(.timedOut, "no answer"))])
        let problem = problem { () throws(CredentialProblem) in try fetch(nobody).credentials(plan, by: soon()) }
        #expect(problem?.problem.hasPrefix("no AWS credentials were found") == true)
        #expect(problem?.remedy == AWSCredentialChain.remedy)
    }

    @Test func `credentials are kept while they are fresh`() throws {
        let clock = Mutex(Int64(0)), made = Mutex(0)
        let source = RenewingSource<Int>(now: { WallTime(milliseconds: clock.withLock { $0 }) }) { _ in
            let number = made.withLock { made in
                made += 1
                return made
            }
            return .success((number, freshUntil: WallTime(milliseconds: clock.withLock { $0 } + 1000)))
        }
        #expect(try source.value(by: soon()) == 1)
        #expect(try source.value(by: soon()) == 1)
        clock.withLock { $0 = 1000 }
        #expect(try source.value(by: soon()) == 2)
        #expect(source.forget())
        #expect(try source.value(by: soon()) == 3)
        #expect(!RenewingSource<Int>(isFixed: true) { _ in .success((1, freshUntil: nil)) }.forget())
    }

    @Test func `secrets by file, variable and command`() throws {
        let here = environment(["V": " s3cret "], ["/f": "tok\nmore"])
        #expect(try SecretReference.environment("V").reveal(here, by: soon()) == Secret("s3cret"))
        #expect(try SecretReference.file("/f").reveal(here, by: soon()) == Secret("tok"))
        #expect(try SecretReference.command(["/bin/echo", "tok"]).reveal(here, by: soon()) == Secret("tok"))
        for bad in [SecretReference.environment("W"), .file("/none"), .file("/h/locked"), .command(["/bin/echo", ""]), .command(["/bin/echo", "a b"])] {
            #expect(problem { () throws(CredentialProblem) in try bad.reveal(here, by: soon()) } != nil, "\(bad)")
        }
    }

    // MARK: Google and Azure

    @Test func `Google's order`() {
        #expect(GoogleCredentials.plan(nil, environment()) == .metadata(host: "metadata.google.internal"))
        #expect(GoogleCredentials.plan(nil, environment(["CLOUDSDK_AUTH_ACCESS_TOKEN": "x"])) == .token(.environment("CLOUDSDK_AUTH_ACCESS_TOKEN")))
        var rule = StorageRule(StorageLocation(scheme: "gs", authority: "b", key: ""))
        rule.token = .command(["gcloud"])
        #expect(GoogleCredentials.plan(rule, environment(["CLOUDSDK_AUTH_ACCESS_TOKEN": "x"])) == .token(.command(["gcloud"])))
        (rule.accessKey, rule.secret) = ("GOOG", .environment("S"))
        #expect(GoogleCredentials.plan(rule, environment()) == .hmac(accessKey: "GOOG", .environment("S")))
    }

    @Test func `Azure's order`() throws {
        func plan(_ variables: [String: String], _ rule: StorageRule? = nil) throws -> AzureCredentials.Plan {
            try AzureCredentials.plan(rule, account: "acc", environment(variables))
        }
        #expect(try plan([:]) == .anonymous)
        #expect(try plan(["AZURE_STORAGE_KEY": "k", "AZURE_STORAGE_SAS_TOKEN": "s"]) == .sharedKey(.environment("AZURE_STORAGE_KEY")))
        #expect(try plan(["AZURE_STORAGE_SAS_TOKEN": "s"]) == .signature(.environment("AZURE_STORAGE_SAS_TOKEN")))
        #expect(try plan(["AZURE_STORAGE_KEY": "k", "AZURE_STORAGE_ACCOUNT": "other"]) == .anonymous, "a key of another account")
        #expect(
            try plan(["AZURE_STORAGE_CONNECTION_STRING": "AccountName=acc;AccountKey=a+/==;BlobEndpoint=http://127.0.0.1:1/acc"])
                == .fixed(key: Secret("a+/=="), signature: nil, endpoint: "http://127.0.0.1:1/acc"))
        #expect(
            problem { () throws(CredentialProblem) in try AzureCredentials.plan(nil, account: "a", environment(["AZURE_STORAGE_CONNECTION_STRING": "x"])) }
                != nil)
    }
}
