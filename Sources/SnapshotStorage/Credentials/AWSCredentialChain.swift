/// Finds credentials in the order of AWS's own tools: the environment, web identity, the profile, the container, the instance. Pure.
struct AWSCredentialChain {
    var environment: CredentialEnvironment
    /// The profile that a setting names; nil = `AWS_PROFILE`, else "default".
    var profile: String?

    func plan() throws(CredentialProblem) -> AWSCredentialPlan {
        // A profile that was asked for goes before the environment.
        if profile == nil, let found = try fromVariables() { return found }
        if profile == nil, let found = webIdentityFromVariables() { return found }
        let profiles = try AWSProfiles(environment)
        let name = profile ?? environment.variable("AWS_PROFILE") ?? environment.variable("AWS_DEFAULT_PROFILE")
        if let found = try plan(ofProfile: name ?? "default", profiles, isNamed: name != nil, above: []) { return found }
        if let found = fromContainer() { return found }
        guard environment.variable("AWS_EC2_METADATA_DISABLED")?.lowercased() != "true" else {
            throw CredentialProblem("no AWS credentials were found", remedy: Self.remedy)
        }
        let endpoint = environment.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? "http://169.254.169.254"
        return .instance(endpoint: endpoint, source: "the instance's metadata")
    }

    static let remedy = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile"

    /// The region that the environment or the profile names.
    func region() throws(CredentialProblem) -> String? {
        if profile == nil, let region = environment.variable("AWS_REGION") ?? environment.variable("AWS_DEFAULT_REGION") { return region }
        let own = try currentProfile()["region"]
        return own ?? environment.variable("AWS_REGION") ?? environment.variable("AWS_DEFAULT_REGION")
    }

    /// The endpoint that the environment or the profile names.
    func endpoint() throws(CredentialProblem) -> String? {
        if let endpoint = environment.variable("AWS_ENDPOINT_URL_S3") ?? environment.variable("AWS_ENDPOINT_URL") { return endpoint }
        return try currentProfile()["endpoint_url"]
    }

    /// The CA file that the environment or the profile names.
    func authorityFile() throws(CredentialProblem) -> String? {
        if let bundle = environment.variable("AWS_CA_BUNDLE") { return environment.expanded(bundle) }
        return try currentProfile()["ca_bundle"].map { environment.expanded($0) }
    }

    func usesPathStyle() throws(CredentialProblem) -> Bool? {
        let style = try currentProfile()["s3.addressing_style"]
        return style.map { $0 == "path" }
    }

    private func currentProfile() throws(CredentialProblem) -> AWSProfile {
        let name = profile ?? environment.variable("AWS_PROFILE") ?? environment.variable("AWS_DEFAULT_PROFILE") ?? "default"
        return try AWSProfiles(environment).profile(name)
    }

    // MARK: The environment

    private func fromVariables() throws(CredentialProblem) -> AWSCredentialPlan? {
        guard let key = environment.variable("AWS_ACCESS_KEY_ID") else { return nil }
        guard let secret = environment.variable("AWS_SECRET_ACCESS_KEY") else {
            throw CredentialProblem("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not", remedy: "set both, or neither")
        }
        let token = environment.variable("AWS_SESSION_TOKEN").map { Secret($0) }
        return .ready(AWSCredentials(accessKey: key, secret: Secret(secret), sessionToken: token, expiresAt: nil, source: "the environment"))
    }

    private func webIdentityFromVariables() -> AWSCredentialPlan? {
        guard let file = environment.variable("AWS_WEB_IDENTITY_TOKEN_FILE"), let role = environment.variable("AWS_ROLE_ARN") else { return nil }
        return .webIdentity(
            tokenFile: file, role: role, session: environment.variable("AWS_ROLE_SESSION_NAME") ?? Self.session, source: "web identity for \(role)")
    }

    private static let session = "weir"

    private func fromContainer() -> AWSCredentialPlan? {
        let relative = environment.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").map { "http://169.254.170.2" + $0 }
        guard let url = relative ?? environment.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") else { return nil }
        return .container(
            url: url, tokenFile: environment.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
            token: environment.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").map { Secret($0) }, source: "the container's endpoint")
    }

    // MARK: Profiles

    private func plan(ofProfile name: String, _ profiles: AWSProfiles, isNamed: Bool, above: [String]) throws(CredentialProblem) -> AWSCredentialPlan? {
        let profile = profiles.profile(name)
        guard profile.exists else {
            guard isNamed else { return nil }
            throw CredentialProblem(
                "there is no profile \(name) in \(profiles.configPath) or \(profiles.credentialsPath)", remedy: "correct the name, or add the profile")
        }
        guard !above.contains(name) else {
            throw CredentialProblem("the profiles \((above + [name]).joined(separator: ", ")) name each other in a circle", remedy: "correct source_profile")
        }
        if let role = profile["role_arn"], let plan = try plan(ofRole: role, profile, profiles, above) { return plan }
        if let plan = try staticKeys(profile) { return plan }
        if let command = profile["credential_process"] {
            return .process(try CommandWords.split(command), source: "credential_process of profile \(name)")
        }
        if (profile["sso_session"] ?? profile["sso_start_url"]) != nil {
            throw CredentialProblem(
                "profile \(name) uses SSO, which only the AWS command line can sign in to",
                remedy: "give it credential_process = aws configure export-credentials --profile \(name)")
        }
        return nil
    }

    private func staticKeys(_ profile: AWSProfile) throws(CredentialProblem) -> AWSCredentialPlan? {
        for (settings, file) in [(profile.credentials, "credentials"), (profile.config, "config")] {
            guard let key = settings["aws_access_key_id"] else { continue }
            guard let secret = settings["aws_secret_access_key"] else {
                throw CredentialProblem("profile \(profile.name) has an access key and no secret", remedy: "add aws_secret_access_key")
            }
            return .ready(
                AWSCredentials(
                    accessKey: key, secret: Secret(secret), sessionToken: settings["aws_session_token"].map { Secret($0) }, expiresAt: nil,
                    source: "profile \(profile.name) in the AWS \(file) file"))
        }
        return nil
    }

    private func plan(ofRole role: String, _ profile: AWSProfile, _ profiles: AWSProfiles, _ above: [String]) throws(CredentialProblem) -> AWSCredentialPlan? {
        let session = profile["role_session_name"] ?? Self.session, source = "role \(role) of profile \(profile.name)"
        if let file = profile["web_identity_token_file"] {
            return .webIdentity(tokenFile: environment.expanded(file), role: role, session: session, source: source)
        }
        let base: AWSCredentialPlan?
        if let other = profile["source_profile"] {
            // A profile may name itself: its own keys ask for the role.
            base =
                other == profile.name
                ? try staticKeys(profile) : try plan(ofProfile: other, profiles, isNamed: true, above: above + [profile.name])
        } else {
            switch profile["credential_source"] {
            case "Environment": base = try fromVariables()
            case "EcsContainer": base = fromContainer()
            case "Ec2InstanceMetadata":
                base = .instance(
                    endpoint: environment.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? "http://169.254.169.254", source: "the instance's metadata")
            default:
                throw CredentialProblem("profile \(profile.name) has role_arn and no source_profile", remedy: "add source_profile or credential_source")
            }
        }
        guard let base else { throw CredentialProblem("profile \(profile.name) has no credentials to ask for the role with", remedy: Self.remedy) }
        return .role(role, session: session, externalID: profile["external_id"], with: base, source: source)
    }
}

/// Splits a command line as the AWS tools do: words, with quotes and backslashes; no shell. Pure.
enum CommandWords {
    static func split(_ text: String) throws(CredentialProblem) -> [String] {
        var words: [String] = [], word = "", isOpen = false
        var quote: Character?
        var characters = text[...]
        while let character = characters.popFirst() {
            if let mark = quote {
                if character == mark {
                    quote = nil
                } else if character == "\\", mark == "\"", let next = characters.first, next == "\"" || next == "\\" {
                    word.append(characters.removeFirst())
                } else {
                    word.append(character)
                }
            } else if character == "\"" || character == "'" {
                (quote, isOpen) = (character, true)
            } else if character == "\\", let next = characters.popFirst() {
                word.append(next)
                isOpen = true
            } else if character.isWhitespace {
                if isOpen { words.append(word) }
                (word, isOpen) = ("", false)
            } else {
                word.append(character)
                isOpen = true
            }
        }
        guard quote == nil else { throw CredentialProblem("a quote of the command is not closed", remedy: "correct the command") }
        if isOpen { words.append(word) }
        guard !words.isEmpty else { throw CredentialProblem("the command is empty", remedy: "correct the command") }
        return words
    }
}
