// swift-tools-version: 6.2
// A job of your own: copy this folder, and replace the path by the place of your checkout of Weir.

import PackageDescription

let package = Package(
    name: "hot-sensors",
    dependencies: [
        .package(name: "weir", path: "../../..")
    ],
    targets: [
        .executableTarget(name: "hot-sensors", dependencies: [.product(name: "Dataflow", package: "weir")])
    ]
)
