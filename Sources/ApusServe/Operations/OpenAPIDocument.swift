import ApusFormats

/// Describes endpoints as OpenAPI 3.1, from the same tables that decode their requests.
enum OpenAPIDocument {
    /// Writes the document's members.
    static func write(_ endpoints: [Endpoint], to writer: inout JSONWriter) {
        writer.member("openapi", "3.1.0")
        writer.objectMember("info") { writer in
            writer.member("title", "Apus")
            writer.member("version", "1")
            writer.member("description", "Language models on this machine. Errors have OpenAI's shape.")
        }
        writer.objectMember("paths") { writer in
            var paths: [String] = []
            for endpoint in endpoints where !paths.contains(endpoint.path) { paths.append(endpoint.path) }
            for path in paths {
                writer.objectMember(path) { writer in
                    for endpoint in endpoints where endpoint.path == path { write(endpoint, to: &writer) }
                }
            }
        }
        writer.objectMember("components") { writer in
            writer.objectMember("schemas") { writer in
                for table in endpoints.compactMap(\.fields) {
                    writer.key(table.name)
                    table.write(to: &writer)
                }
                writer.key("Error")
                OpenAIError.schema.write(to: &writer)
            }
            writer.objectMember("securitySchemes") { writer in
                writer.objectMember("key") { writer in
                    writer.member("type", "http")
                    writer.member("scheme", "bearer")
                }
            }
        }
    }

    private static func write(_ endpoint: Endpoint, to writer: inout JSONWriter) {
        writer.objectMember(endpoint.method.rawValue) { writer in
            writer.member("summary", endpoint.summary)
            writer.arrayMember("security") { writer in
                writer.object { _ in }
                if !endpoint.isPublic { writer.object { $0.arrayMember("key") { _ in } } }
            }
            writeParameter(of: endpoint, to: &writer)
            if let fields = endpoint.fields {
                writer.objectMember("requestBody") { writer in
                    writer.member("required", true)
                    writeContent("application/json", to: &writer) { writeReference(fields.name, to: &$0) }
                }
            }
            writer.objectMember("responses") { writer in
                writer.objectMember("200") { writer in
                    writer.member("description", endpoint.summary)
                    writeContent(of: endpoint.answer, to: &writer)
                }
                for (status, description) in errors(of: endpoint) {
                    writer.objectMember("\(status)") { writer in
                        writer.member("description", description)
                        writeContent("application/json", to: &writer) { writeReference("Error", to: &$0) }
                    }
                }
            }
        }
    }

    private static func writeParameter(of endpoint: Endpoint, to writer: inout JSONWriter) {
        guard let name = endpoint.parameterName else { return }
        writer.arrayMember("parameters") { writer in
            writer.object { writer in
                writer.member("name", name)
                writer.member("in", "path")
                writer.member("required", true)
                writer.objectMember("schema") { $0.member("type", "string") }
            }
        }
    }

    private static func writeContent(of answer: Endpoint.Answer, to writer: inout JSONWriter) {
        switch answer {
        case .text(let type):
            writeContent(type, to: &writer) { writer in writer.object { $0.member("type", "string") } }
        case .json(let schema, let canStream):
            writer.objectMember("content") { writer in
                writer.objectMember("application/json") { writer in
                    writer.key("schema")
                    schema.write(to: &writer)
                }
                guard canStream else { return }
                writer.objectMember("text/event-stream") { writer in
                    writer.objectMember("schema") { $0.member("type", "string") }
                }
            }
        }
    }

    private static func writeContent(_ type: String, to writer: inout JSONWriter, _ schema: (inout JSONWriter) -> Void)
    {
        writer.objectMember("content") { writer in
            writer.objectMember(type) { writer in
                writer.key("schema")
                schema(&writer)
            }
        }
    }

    private static func writeReference(_ name: String, to writer: inout JSONWriter) {
        writer.object { $0.member("$ref", "#/components/schemas/\(name)") }
    }

    /// The statuses an endpoint may answer with besides 200.
    private static func errors(of endpoint: Endpoint) -> [(Int, String)] {
        var errors = [(400, "The request is malformed."), (403, "The host or origin may not be served.")]
        if !endpoint.isPublic { errors.append((401, "The key is missing or wrong.")) }
        errors.append((404, "There is no such model or path."))
        errors.append((405, "The path has no such method."))
        guard endpoint.fields != nil || endpoint.path == "/ready" else { return errors }
        errors.append((408, "The body did not arrive in time."))
        errors.append((413, "The body is too large."))
        errors.append((429, "Too much is under way, or the key has used up its rate; see Retry-After."))
        errors.append((500, "The server failed."))
        errors.append((503, "The server is shutting down."))
        return errors
    }
}

extension Endpoint {
    /// The name of the path's last component, where it stands for any text.
    fileprivate var parameterName: String? {
        guard let start = path.firstIndex(of: "{"), let end = path.lastIndex(of: "}") else { return nil }
        return String(path[path.index(after: start)..<end])
    }
}
