use super::*;

fn there_and_back(frame: &Frame) -> Frame {
    let mut bytes = Vec::new();
    frame.write_to(&mut bytes).unwrap();
    Frame::read_from(&mut bytes.as_slice()).unwrap().unwrap()
}

#[test]
fn frames_survive_the_journey() {
    let frames = [
        Frame::Report(Report::Ready {
            release: "6.12".into(),
        }),
        Frame::Report(Report::CaseEnded {
            name: "environment".into(),
            outcome: Outcome::Failed("no BTF\n\"quoted\"".into()),
            seconds: 0.25,
        }),
        Frame::Report(Report::Done),
        Frame::Stdout((0..=255).collect()),
        Frame::Stderr(vec![b'R', 0, 0, 0, 0]),
        Frame::Stdin(Vec::new()),
        Frame::Stdout(vec![b'x'; MAX_PAYLOAD]),
    ];
    for frame in frames {
        assert_eq!(there_and_back(&frame), frame);
    }
}

#[test]
fn the_end_of_the_stream_is_no_frame() {
    assert_eq!(Frame::read_from(&mut [].as_slice()).unwrap(), None);
}

#[test]
fn a_cut_frame_is_an_error() {
    let mut bytes = Vec::new();
    Frame::Stdout(b"hello".to_vec())
        .write_to(&mut bytes)
        .unwrap();
    for length in 1..bytes.len() {
        assert!(
            Frame::read_from(&mut &bytes[..length]).is_err(),
            "cut after {length}"
        );
    }
}

#[test]
fn what_is_too_long_or_unknown_is_refused() {
    assert!(
        Frame::Stdout(vec![0; MAX_PAYLOAD + 1])
            .write_to(&mut Vec::new())
            .is_err()
    );
    assert!(Frame::read_from(&mut [b'O', 255, 255, 255, 255].as_slice()).is_err());
    assert!(Frame::read_from(&mut [b'?', 0, 0, 0, 0].as_slice()).is_err());
    assert!(Frame::read_from(&mut [b'R', 2, 0, 0, 0, b'{', b'}'].as_slice()).is_err());
}

#[test]
fn a_case_is_for_all_kernels_unless_it_names_some() {
    let mut info = CaseInfo {
        name: "x".into(),
        kernels: None,
        deadline_s: 1,
    };
    assert!(info.is_for("5.10"));
    info.kernels = Some(vec!["6.12".into()]);
    assert!(info.is_for("6.12"));
    assert!(!info.is_for("5.10"));
}
