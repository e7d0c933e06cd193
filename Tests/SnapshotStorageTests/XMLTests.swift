import StreamModel
import Testing

@testable import SnapshotStorage

// Goal: what a store answers in XML is read, and hostile answers neither trap nor use memory without end. Method: examples, attacks, every prefix
// and every flipped byte of a listing.

private func parse(_ text: String) -> Result<XMLElement, XMLError> {
    do throws(XMLError) { return .success(try XMLElement.parse(Array(text.utf8))) } catch { return .failure(error) }
}

private func problem(_ text: String) -> XMLError.What? { if case .failure(let problem) = parse(text) { problem.what } else { nil } }

@Suite struct XMLTests {
    @Test func `elements, texts and entities are read`() throws {
        let root = try parse(
            "\u{feff}<?xml version=\"1.0\"?><!-- c --><s:R xmlns=\"a>b\"><K>a &lt;&amp;&gt; &#65;&#x42;&quot;&apos;</K><E/><C><![CDATA[<x>]]></C >\n</s:R>\n"
        ).get()
        #expect(root.name == "R")
        #expect(root.text("K") == "a <&> AB\"'")
        #expect(root.text("C") == "<x>")
        #expect(root["E"]?.text == "")
        #expect(root.text("E") == nil)
    }

    @Test(
        arguments: [
            ("<!DOCTYPE r [<!ENTITY a \"b\">]><r>&a;</r>", .documentType), ("<r>&a;</r>", .entity), ("<r>&toolongtobeone;</r>", .entity),
            ("<r>&#xD800;</r>", .entity), ("<r>&#99999999;</r>", .entity), ("<r>&#;</r>", .entity), ("", .noElement), ("text", .noElement), ("<r>", .cut),
            ("<r", .cut), ("<r a=\"", .cut), ("<r><a></r></a>", .mismatch), ("<r/><r/>", .trailing), ("<r/>x", .trailing), ("< r/>", .badTag),
            ("<r><!-- ", .cut), ("<r></r x>", .badTag), ("</r>", .mismatch), ("<r><r<x/></r>", .badTag),
        ] as [(String, XMLError.What)])
    private func `bad answers are named`(_ text: String, _ what: XMLError.What) { #expect(problem(text) == what) }

    @Test func `depth and number are bounded`() {
        #expect(problem(String(repeating: "<a>", count: 1000)) == .tooDeep)
        #expect(problem("<r>" + String(repeating: "<a/>", count: 200_001) + "</r>") == .tooMany)
        #expect(problem("<r>\u{fffd}</r>") == nil)
        do throws(XMLError) {
            _ = try XMLElement.parse([0x3c, 0x72, 0x3e, 0xff, 0x3c, 0x2f, 0x72, 0x3e])
            Issue.record("bytes that are no text were taken")
        } catch { #expect(error.what == .notText) }
    }

    private static let listing = """
        <?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bkt</Name><IsTruncated>true</IsTruncated>
        <NextContinuationToken>t&amp;1</NextContinuationToken><EncodingType>url</EncodingType>
        <Contents><Key>j/</Key><Size>0</Size></Contents><Contents><Key>j/chk-6/</Key><Size>0</Size></Contents>
        <Contents><Key>j/old_%24folder%24</Key><Size>0</Size></Contents>
        <Contents><Key>j/a+b%2B100%25%C3%BC</Key><LastModified>2026-11-29T06:32:15.004Z</LastModified><ETag>&quot;e1&quot;</ETag><Size>3</Size></Contents>
        <CommonPrefixes><Prefix>j/shared/</Prefix></CommonPrefixes></ListBucketResult>
        """

    @Test func `a listing has files and directories, and no markers`() throws {
        let directory = try StorageLocation("s3://bkt/j")
        let listing = try S3Listing.read(Array(Self.listing.utf8), below: directory)
        #expect(listing.token == "t&1")
        #expect(
            listing.entries == [
                StorageEntry(
                    directory.with(key: "j/a b+100%ü"), .file, size: 3, modified: WallTime(milliseconds: 1_795_933_935_004), etag: "e1"),
                StorageEntry(directory.with(key: "j/shared"), .directory),
            ])
    }

    @Test func `every prefix and every flipped byte of a listing is read or refused`() throws {
        let bytes = Array(Self.listing.utf8), directory = try StorageLocation("s3://bkt/j")
        var refused = 0
        for index in bytes.indices {
            for (number, candidate) in [Array(bytes[..<index]), bytes[..<index] + [bytes[index] ^ 0x20] + bytes[(index + 1)...]].enumerated() {
                do throws(S3Listing.Problem) { _ = try S3Listing.read(candidate, below: directory) } catch {
                    refused += 1
                    continue
                }
                #expect(number == 1, "a prefix is never whole")
            }
        }
        #expect(refused >= bytes.count)
    }

    @Test(arguments: [
        "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>", "<ListBucketResult><Contents><Key>j/a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>j/a</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>other</Key><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "<html><body>hi</body></html>",
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>j/%zz</Key><Size>1</Size></Contents></ListBucketResult>",
    ]) func `a listing that does not add up is refused`(_ text: String) throws {
        let directory = try StorageLocation("s3://bkt/j")
        #expect(throws: S3Listing.Problem.self) { try S3Listing.read(Array(text.utf8), below: directory) }
    }

    @Test func `Azure's listing has files, directories and no folders`() throws {
        let text = """
            <EnumerationResults ContainerName="c"><Blobs>
            <Blob><Name>j/chk-1</Name><Properties><Content-Length>0</Content-Length></Properties><Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>
            <Blob><Name>j/dir</Name><Properties><Content-Length>0</Content-Length><ResourceType>directory</ResourceType></Properties></Blob>
            <Blob><Name>j/chk-1/_metadata</Name><Properties><Content-Length>7</Content-Length><Etag>0x8D</Etag>
            <Last-Modified>Sun, 29 Nov 2026 06:32:15 GMT</Last-Modified></Properties></Blob>
            <BlobPrefix><Name>j/shared/</Name></BlobPrefix></Blobs><NextMarker>m</NextMarker></EnumerationResults>
            """
        let directory = try StorageLocation("abfss://c@a.dfs.core.windows.net/j")
        let listing = try AzureListing.read(Array(text.utf8), below: directory)
        #expect(listing.marker == "m")
        #expect(listing.entries.map(\.location.key) == ["j/chk-1/_metadata", "j/shared"])
        #expect(listing.entries[0].size == 7 && listing.entries[0].etag == "0x8D" && listing.entries[0].modified != nil)
    }
}
