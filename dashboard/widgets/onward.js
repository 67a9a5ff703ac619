// Follows a link as soon as it is there, once.

export default function ({ data }) {
  let frame;
  const follow = () => {
    const link = document.querySelector(data.link);
    if (link) link.click();
    else frame = requestAnimationFrame(follow);
  };
  follow();
  return () => cancelAnimationFrame(frame);
}
