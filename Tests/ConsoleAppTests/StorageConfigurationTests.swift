// Goal: places of snapshots are read from the configuration, and a mistake is named with its line. Method: texts.

import SnapshotStorage
import Testing

@testable import ConsoleApp

@Suite struct StorageConfigurationTests {
    private func parse(_ text: String) -> Result<StorageSettings, ConfigurationError> {
        do throws(ConfigurationError) { return .success(try ConfigurationFile.parse(text, name: "c").storage) } catch { return .failure(error) }
    }

    @Test func `all settings are read`() throws {
        let settings = try parse(
            """
            [storage."s3://bkt/jobs/"]
            endpoint = "https://minio:9000"
            region = "eu-west-1"
            ca = "/etc/ca.pem"
            path_style = true
            access_key = "AK"
            secret_file = "/run/secret"
            token_env = "TOKEN"
            entropy = "_entropy_"
            [storage."s3a://bkt"]
            profile = "lab"
            [storage."abfss://c@acc.dfs.core.windows.net"]
            sas_env = "SAS"
            [storage."hdfs://nn:8020"]
            endpoint = ["http://nn1:9870", "http://nn2:9870"]
            user = "ana"
            [storage."gs://b"]
            token_command = ["gcloud", "auth", "print-access-token"]
            [storage."gs://public"]
            anonymous = true
            """
        ).get()
        #expect(settings.rules.count == 6)
        let jobs = try #require(settings.rule(for: try StorageLocation("s3p://bkt/jobs/chk-1")))
        #expect(jobs.endpoints == [try #require(StorageEndpoint("https://minio:9000"))])
        #expect(jobs.region == "eu-west-1" && jobs.authorityFile == "/etc/ca.pem" && jobs.usesPathStyle == true && jobs.accessKey == "AK")
        #expect(jobs.secret == .file("/run/secret") && jobs.token == .environment("TOKEN") && jobs.entropy == .standard)
        #expect(settings.rule(for: try StorageLocation("s3://bkt/other"))?.profile == "lab")
        #expect(settings.rule(for: try StorageLocation("abfss://c@acc.dfs.core.windows.net/x"))?.sharedAccessSignature == .environment("SAS"))
        #expect(settings.rule(for: try StorageLocation("hdfs://nn:8020/x"))?.endpoints.count == 2)
        #expect(settings.rule(for: try StorageLocation("gs://b/x"))?.token == .command(["gcloud", "auth", "print-access-token"]))
        #expect(settings.rule(for: try StorageLocation("gs://public/x"))?.isAnonymous == true)
    }

    @Test(arguments: [
        ("[storage.lab]", 1, "not an absolute path or URL"), ("[storage.\"/var/x\"]", 1, "local files need no settings"),
        ("[storage.\"s3://b\"]\nsecret_env = \"S\"", 1, "go together"), ("[storage.\"s3://b\"]\naccess_key = \"A\"", 2, "go together"),
        ("[storage.\"s3://b\"]\nendpoint = \"minio\"", 2, "not a URL"), ("[storage.\"s3://b\"]\nsecret = \"sesame\"", 2, "unknown key"),
        ("[storage.\"s3://b\"]\naccess_key = \"A\"\nsecret_env = \"se same\"", 3, "does not belong here"),
        ("[storage.\"s3://b\"]\ntoken_env = \"A\"\ntoken_file = \"/x\"", 1, "exclude each other"),
        ("[storage.\"s3://b\"]\naccess_key = \"A\"\nsecret_env = \"S\"\nprofile = \"p\"", 4, "exclude each other"),
        ("[storage.\"s3://b\"]\nca = \"ca.pem\"", 2, "absolute path"), ("[storage.\"s3://b\"]\n[storage.\"s3a://b/\"]", 2, "the same place"),
        ("storage = 1", 1, "must be a table"),
    ]) func `mistakes are named with their line`(_ text: String, _ line: Int, _ words: String) {
        guard case .failure(let error) = parse(text) else {
            Issue.record("taken: \(text)")
            return
        }
        #expect(error.line == line, "\(error)")
        #expect(error.description.contains(words), "\(error)")
        #expect(!error.description.contains("sesame"))
    }
}
