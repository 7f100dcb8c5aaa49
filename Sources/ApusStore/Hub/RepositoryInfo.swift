/// What the hub's interface tells of a repository at a revision: its commit, files and licence.
struct RepositoryInfo: Decodable {
    /// A file of the repository; `lfs` is there for large files.
    struct Sibling: Decodable {
        var rfilename: String
        var size: Int?
        var lfs: LargeFile?
    }

    /// What is known of a large file's content.
    struct LargeFile: Decodable {
        var sha256: String?
        var size: Int?
    }

    /// The model card's header.
    struct Card: Decodable {
        var license: String?
        var licenseName: String?

        enum CodingKeys: String, CodingKey {
            case license
            case licenseName = "license_name"
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            // Written by hand in each repository: a text, a list of texts, or nonsense, which is no reason to fail.
            let single = try? container.decodeIfPresent(String.self, forKey: .license)
            license =
                single ?? (try? container.decodeIfPresent([String].self, forKey: .license))?.joined(separator: ", ")
            licenseName = (try? container.decodeIfPresent(String.self, forKey: .licenseName)) ?? nil
        }
    }

    var sha: String?
    var siblings: [Sibling]
    var cardData: Card?

    /// The licence's name; a licence of the publisher's own goes by the name given to it.
    var licence: String? {
        guard let license = cardData?.license else { return nil }
        return license == "other" ? cardData?.licenseName ?? license : license
    }
}
