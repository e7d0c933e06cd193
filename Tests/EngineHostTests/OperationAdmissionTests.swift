// Goal: whether an operation may begin has one written answer for every state, request and work under way. Method: the whole table against
// a golden one, and the promises that it is made for, checked over every cell.

import StreamModel
import Testing

@testable import EngineHost

@Suite struct OperationAdmissionTests {
    private func letter(_ admission: OperationAdmission) -> Character {
        switch admission {
        case .admit: "+"
        case .afterLaunch: ">"
        case .refuse(.needsRunning): "r"
        case .refuse(.nothingToCancel): "n"
        case .refuse(.stillLives): "l"
        case .refuse(.underWay): "u"
        }
    }

    private func row(_ request: LineageRequest, _ work: LineageWork) -> String {
        String(JobPhase.allCases.map { letter(OperationAdmission(request, of: $0, during: work)) })
    }

    @Test func theTableIsAsDocumented() {
        // launching running restarting held cancelling failing leaving ended
        let whileRunning: [LineageWork: String] = [
            .nothing: "r+rrrrrr", .snapshot: "r+rrrrrr", .launch: "r+rrrrrr", .stop: "uuuuuuuu", .cancel: "uuuuuuuu", .restart: "uuuuuuuu",
        ]
        let anew: [LineageWork: String] = [
            .nothing: "llllll++", .snapshot: "llllll++", .launch: "uuuuuuuu", .stop: "uuuuuuuu", .cancel: "uuuuuuuu", .restart: "uuuuuuuu",
        ]
        let expected: [LineageRequest: [LineageWork: String]] = [
            .savepoint: whileRunning, .checkpoint: whileRunning, .stop: whileRunning, .restart: anew, .submit: anew,
            .fault: Dictionary(uniqueKeysWithValues: LineageWork.allCases.map { ($0, "r+rrrrrr") }),
            .cancel: [
                .nothing: ">++++nnn", .snapshot: ">++++nnn", .launch: ">++++nnn", .stop: ">++++nnn", .cancel: ">++++nnn", .restart: ">uuuunnn",
            ],
            .restartCancelFirst: [
                .nothing: ">+++++++", .snapshot: ">+++++++", .launch: ">>>>>>>>", .stop: "uuuuuuuu", .cancel: "uuuuuuuu", .restart: "uuuuuuuu",
            ],
        ]
        #expect(JobPhase.allCases == [.launching, .running, .restarting, .held, .cancelling, .failing, .leaving, .ended])
        for request in LineageRequest.allCases {
            for work in LineageWork.allCases { #expect(row(request, work) == expected[request]?[work], "\(request) during \(work)") }
        }
    }

    private func everyCell(_ body: (LineageRequest, JobPhase, LineageWork, OperationAdmission) -> Void) {
        for request in LineageRequest.allCases {
            for phase in JobPhase.allCases {
                for work in LineageWork.allCases { body(request, phase, work, OperationAdmission(request, of: phase, during: work)) }
            }
        }
    }

    private func begins(_ admission: OperationAdmission) -> Bool { admission == .admit || admission == .afterLaunch }

    @Test func nothingIsLaunchedBesideALiveJobOrAnotherLaunch() {
        everyCell { request, phase, work, admission in
            guard request == .restart || request == .submit, begins(admission) else { return }
            #expect(phase == .leaving || phase == .ended)
            #expect(work == .nothing || work == .snapshot)
        }
    }

    @Test func endingAndLaunchingNeverOverlap() {
        everyCell { request, phase, work, admission in
            guard [.stop, .cancel, .restart].contains(work), [.stop, .restart, .restartCancelFirst, .submit].contains(request) else { return }
            #expect(!begins(admission), "\(request) of \(phase) during \(work)")
        }
    }

    @Test func onlyARunningJobTakesSnapshots() {
        everyCell { request, phase, _, admission in
            guard [.savepoint, .checkpoint, .stop, .fault].contains(request), begins(admission) else { return }
            #expect(phase == .running && admission == .admit)
        }
    }

    @Test func aLiveJobCanAlwaysBeEnded() {
        everyCell { request, phase, work, admission in
            guard request == .cancel, ![.failing, .leaving, .ended].contains(phase), work != .restart else { return }
            #expect(begins(admission), "\(phase) during \(work)")
        }
    }
}

@Suite struct LineageClaimsTests {
    private static let one = LineageClaim.Holder.operation(OperationID(random: 1), by: "a"),
        two = LineageClaim.Holder.operation(OperationID(random: 2), by: "b")

    private func claim(_ lineage: UInt64, _ name: String, _ holder: LineageClaim.Holder) -> LineageClaim {
        LineageClaim(lineage: JobID(high: 0, low: lineage), name: name, work: .restart, holder: holder)
    }

    @Test func theSecondClaimantLearnsTheFirst() {
        var claims = LineageClaims()
        #expect(claims.take(claim(1, "orders", Self.one)) == nil)
        #expect(claims.take(claim(1, "orders", Self.two))?.holder == Self.one)
        #expect(claims.take(claim(1, "orders", Self.one))?.holder == Self.one, "nor twice by the same")
        #expect(claims.take(claim(2, "orders", Self.two))?.holder == Self.one, "the name is claimed, too")
        #expect(claims.take(claim(2, "others", Self.two)) == nil)
    }

    @Test func onlyTheHolderReleasesAClaim() {
        var claims = LineageClaims()
        _ = claims.take(claim(1, "orders", Self.one))
        claims.release(JobID(high: 0, low: 1), heldBy: Self.two)
        #expect(claims[JobID(high: 0, low: 1)]?.holder == Self.one)
        claims.release(JobID(high: 0, low: 1), heldBy: Self.one)
        #expect(claims.take(claim(1, "orders", Self.two)) == nil)
    }
}
